"""What `transports` say in finished English of customers' servers, named for translation.

The steps of the test on save, what failed there, and what it has found out. The causes and
the advice of `transports.diagnosis` and the settings' fields are collected where they are declared.
"""

from worker.console.language import mark as N_

WORDS = (
    N_("Names that end in .part, .wav and .txt were refused alike."),
    N_("Files go over TLS too (PROT P)"),
    N_(
        "The server refuses it: recordings are written to their name, and whoever looks meanwhile "
        "sees half of one"
    ),
    N_(
        "Something on the server takes away what ends in .part: recordings are written to their "
        "name, and whoever looks meanwhile sees half of one"
    ),
    N_("The server does not tell it: its confirmation has to do"),
    N_(
        "The server does not tell whether a name is taken: the names of recordings carry their id, "
        "as in call-<id>.wav, so that nothing is overwritten"
    ),
    N_("The server does not tell whether a name is taken, and refuses one that is"),
    N_("The server does not tell whether a name is taken: files are overwritten, as chosen"),
    N_("The server said that it was removed"),
    N_("The server has stored it under another name"),
    N_("Let the user make folders in the path, or leave Subfolders empty."),
    N_(
        "The server opens too few data connections at once: let it have more passive ports, and "
        "its firewall let them in. Fewer files are sent at once from now on."
    ),
    N_(
        "Where this happens each time, the server may want a client certificate (Client "
        "Certificate, Client Key): it hung up right after TLS had begun."
    ),
    N_("The server refuses a file while others are open: fewer are sent at once from now on."),
    N_("The server greets in clear"),
    N_("The connection is in clear"),
    N_("The server waits for a TLS handshake"),
    N_("The server said more in clear behind its answer to AUTH"),
    N_("A name with a line break cannot be sent over FTP"),
    N_("The server's reply does not end"),
    N_("The server offers no passive transfers"),
    N_("The server broke the protocol"),
    N_("No server may connect to this host, as Active Mode needs it"),
    N_("The server closed the connection"),
    N_("The server closed the connection before greeting"),
    N_("The server ended the connection"),
    N_("The server ended the SFTP session"),
    N_("The connection failed"),
    N_("the connection was cut"),
    N_("The server speaks no version of TLS from 1.2 on"),
    N_("What the server answers is no TLS"),
    N_("The certificate has expired"),
    N_("The certificate is not valid yet"),
    N_("The certificate is for another name"),
    N_("unable to get local issuer certificate"),
    N_("self-signed certificate"),
    N_("self-signed certificate in certificate chain"),
    N_("unable to verify the first certificate"),
    N_("a nameless authority"),
    N_("an unknown authority"),
    N_("The resolver does not answer"),
    N_("The platform's proxy does not answer"),
    N_("The platform's proxy closed the connection"),
    N_("The platform's proxy refuses its user or password"),
    N_("The platform's proxy wants a user and a password"),
    N_("The server does not speak SSH"),
    N_("The login worked, but the server offers no SFTP"),
    N_("The server takes no more sessions on this connection"),
    N_("It does not speak SFTP"),
    N_("The server sent an answer of no allowed length"),
    N_("The server sent a packet of no allowed length"),
    N_("The server answered something that it was not asked"),
    N_("The server sent half an answer"),
    N_("The server did not say whether it was done"),
    N_("The server sent more than it was asked for"),
    N_("The path is not a folder"),
    N_("The folder cannot be entered"),
    N_("Authentication failed."),
    N_("The server does not accept the password"),
    N_("The server did not accept the password as it is: it may have expired"),
    N_("The account has no key"),
    N_("The server asks too many questions at once"),
    N_("No signature algorithm in common"),
    N_("key exchange"),
    N_("host key"),
    N_("cipher"),
    N_("MAC"),
    N_("opening"),
    N_("reading"),
    N_("connecting"),
    N_("logging in"),
    N_("making the folder"),
    N_("looking for earlier tries"),
    N_("writing"),
    N_("verifying"),
    N_("renaming"),
    N_("recording the outcome"),
    N_("The temporary file is gone from the server"),
    N_("Your server has blocked our address for a while"),
    N_("Other logins at this server come first"),
    N_("Every name that it could have is taken"),
    N_("Another recording of this name is on its way"),
    N_("Another session has taken the file over"),
    N_("The recording was replaced while it was sent"),
    N_("The recording was replaced while it was read"),
    N_("The recording was written to while it was read"),
    N_("It is not a regular file"),
    N_("It lies outside of the folders that recordings may come from"),
    N_("The upload was not begun"),
    N_("The session is over"),
    N_("The server does not tell sizes"),
    N_("The server does not tell whether a name is taken"),
    N_("The server tells no such digest"),
    N_("The server told a digest that it was not asked for"),
    N_("The server told a digest of no allowed length"),
    N_("The server gave a handle of no allowed length"),
    N_("The server sent data of no allowed length"),
    N_("The server sent half a listing"),
    N_("The server lists nothing of the folder"),
    N_("The server's listing was cut off"),
    N_("The server's listing does not end"),
    N_("The server may misread the name in a listing"),
    N_("The server cannot be asked for a listing"),
    N_("The folder has more files than are looked through"),
    N_("The platform's proxy refuses a login by password"),
    N_("it has failed in general"),
    N_("its rules do not allow that"),
    N_("it does not know the command"),
    N_("it does not know such addresses"),
    N_("it can start no more threads"),
    N_("The FTP settings were changed meanwhile"),
    N_("The worker is stopping"),
    N_("The account is not worked any more at this moment"),
    N_("Client Certificate"),
    N_("CA Certificates"),
    N_("Writing"),
    N_(
        "as chosen, recordings are written to their name, and whoever looks meanwhile sees half of "
        "one"
    ),
    N_("under a temporary name that ends in .part, then renamed"),
    N_("under a temporary name that begins with a dot, then renamed"),
    N_("in the folder courier-part beneath Path, then moved to its place"),
    N_(
        "the server takes no temporary names: recordings are written to their name, and whoever "
        "looks meanwhile sees half of one"
    ),
    N_(
        "the server takes no renames: recordings are written to their name, and whoever looks "
        "meanwhile sees half of one"
    ),
    N_("Taken names"),
    N_("are looked for at each login"),
    N_(
        "the server does not tell whether a name is taken: the names of recordings carry their id, "
        "as in call-<id>.wav, so that nothing is overwritten"
    ),
    N_("the server does not tell whether a name is taken, and refuses one that is"),
    N_("the server does not tell whether a name is taken: files are overwritten, as chosen"),
    N_("Checked"),
    N_("by the size that the server tells of each file"),
    N_("the server tells no sizes: its word that a file has arrived has to do"),
    N_("Signs in names"),
    N_('the server refuses letters such as é: with "Replace Characters" they become "_"'),
    N_(
        'the server refuses letters such as é: with "Replace Characters" they become "_"; or '
        "choose Latin-1"
    ),
    N_('the server refuses letters such as é: they become "_"'),
    N_('the server refuses letters such as é: they become "_"; or choose Latin-1'),
    N_("Leftovers"),
    N_("the server lets nothing be removed: what an upload that was cut leaves stays there"),
    N_("Uploads at once"),
    N_("Open files"),
    N_("the server lets one file be open at once"),
    N_("Slow"),
    N_("Large files"),
    N_("are gone on with after a cut"),
    N_("begin anew after a cut"),
    N_(
        "begin anew after a cut until the settings are saved once more: then it is tried whether "
        "they can be gone on with"
    ),
    N_("Folders"),
    N_("the server lets none be made"),
    N_("each is entered first: the server takes bare names only"),
    N_("Left out"),
    N_("Encryption"),
    N_("Key exchange"),
    N_("Cipher"),
    N_("Integrity"),
)

PATTERNS = (
    N_("Left there: %(paths)s."),
    N_("This time it named port %(port)s."),
    N_("%(said)s (%(path)s is left there)"),
    N_("%(fingerprint)s, which is pinned"),
    N_("for %(name)s, issued by %(issuer)s, valid until %(day)s"),
    N_("for %(name)s, issued by %(issuer)s"),
    N_("%(user)s, with the key %(fingerprint)s"),
    N_("%(user)s, with the key %(fingerprint)s and its certificate"),
    N_("%(size)s bytes"),
    N_("%(path)s. The server does not make it (%(said)s), and takes files there"),
    N_(
        "%(path)s. As chosen, recordings are written to their name, and whoever looks meanwhile "
        "sees half of one"
    ),
    N_(
        "%(path)s. The server refuses %(part)s (%(said)s): recordings are written to their "
        "name, and whoever looks meanwhile sees half of one"
    ),
    N_("The server stored %(size)s of %(sent)s bytes"),
    N_(
        "The server does not accept this key: check the username, and put the line of the key's "
        "public half into ~/.ssh/authorized_keys of this user there: %(line)s"
    ),
    N_('The server does not accept the name "%(name)s".'),
    N_(
        'Many servers, those on Windows among them, forbid %(signs)s: with "Replace Characters" of '
        'the FTP settings it becomes "_".'
    ),
    N_(
        "Some servers forbid %(signs)s: have this server take it, or choose another File Name in "
        "the FTP settings."
    ),
    N_("On a data connection: %(sentence)s"),
    N_("The server's key is %(shown)s; the one expected is %(pinned)s"),
    N_("The server's key is %(shown)s; those expected are %(pinned)s"),
    N_("The server's certificate is %(shown)s; the one expected is %(pinned)s"),
    N_("The server's certificate is %(shown)s; those expected are %(pinned)s"),
    N_("The server does not answer %(verb)s"),
    N_("The platform names no IPv%(version)s address to connect to"),
    N_("It did not connect to %(where)s, in %(seconds)s seconds"),
    N_("Of the ports %(first)s to %(last)s none is free"),
    N_("The platform cannot listen for the server: %(words)s"),
    N_("TLS failed: %(sentence)s"),
    N_("The server refused the TLS handshake: %(said)s"),
    N_("The certificate expired on %(day)s"),
    N_("The certificate is valid from %(day)s on"),
    N_("The certificate is for %(names)s, not for %(name)s"),
    N_("The certificate is not trusted: %(words)s; it was issued by %(word_issuer)s"),
    N_("The certificate is not trusted: %(words)s"),
    N_("The CA certificates cannot be used: %(words)s"),
    N_("The client certificate cannot be used: %(words)s"),
    N_("The server was silent for %(seconds)s seconds"),
    N_("%(host)s has no address"),
    N_("No answer of the resolver in %(seconds)s seconds"),
    N_("It is not a host name: %(words)s"),
    N_("The platform connects over %(mine)s, and %(host)s has addresses of %(theirs)s alone"),
    N_("%(host)s is an address where no connection may go"),
    N_("%(host)s is %(address)s, where no connection may go"),
    N_("There is no port %(port)s: ports are 1 to %(most)s"),
    N_("The platform cannot open a connection: %(words)s"),
    N_("The platform cannot connect from its address %(source)s: %(words)s"),
    N_("The platform cannot look up a name: %(words)s"),
    N_("The platform cannot read from a store: %(words)s"),
    N_("The platform's proxy cannot be reached: %(words)s"),
    N_("The platform's proxy does not connect to %(host)s, port %(port)s: %(words)s"),
    N_("The platform's proxy could not reach the server: %(words)s"),
    N_("Before SFTP began, the server printed: %(said)s"),
    N_("SFTP status %(code)s"),
    N_("The server did not accept the password and asks again: %(said)s"),
    N_("The server only takes: %(methods)s"),
    N_("The server wants more than the password: %(methods)s"),
    N_("The server wants more than the key and the password: %(methods)s"),
    N_("The server accepted the key %(fingerprint)s, and wants besides: %(methods)s"),
    N_("The server refused the key %(fingerprint)s; it takes only keys of: %(kinds)s"),
    N_("The server refused the key %(fingerprint)s, shown with its certificate"),
    N_("The server refused the key %(fingerprint)s"),
    N_("The key is of RSA, and the server takes signatures only by: %(kinds)s"),
    N_("The server wants an agreement to its terms: %(said)s"),
    N_("The server asks for more than the password: %(said)s"),
    N_(
        "No %(word_kind)s in common: this server offers only %(offered)s; the platform takes "
        "%(taken)s"
    ),
    N_("The server's RSA key has %(bits)s bits: the platform takes %(least)s or more"),
    N_("A fault of the program at %(word)s: this was reported"),
    N_("The server stored %(size)s of the %(sent)s bytes sent"),
    N_("The server's %(hash)s of the file is %(digest)s, that of what was sent %(sent)s"),
    N_("It has %(size)s bytes, the event says %(told)s"),
    N_("It has more than the %(most)s bytes that the event says"),
    N_("Its SHA-256 is %(digest)s, the event says %(told)s"),
    N_("What answers as the platform's proxy does not speak %(name)s"),
    N_("its reply is %(reply)s"),
    N_("ended on %(day)s: save the next one now"),
    N_("ends on %(day)s, in %(days)s days: save the next one in time"),
    N_("ends on %(day)s, by tomorrow: save the next one in time"),
    N_("valid until %(day)s"),
    N_("are asked for by %(command)s"),
    N_("by the server's %(hash)s of each file"),
    N_('the server refuses %(signs)s in names: with "Replace Characters" they become "_"'),
    N_('the server refuses %(signs)s in names: they become "_"'),
    N_("%(count)s at the most"),
    N_("the server lets %(count)s files be open at once"),
    N_("the server confirmed a small file after %(seconds)s seconds"),
    N_("the server does not bear %(commands)s"),
)
