"""Recordings on their way to customers' servers: opened, sent, verified, put under their names.

The package knows servers and files. It knows neither MongoDB nor RabbitMQ: what has to be written
down it asks of a `Journal`. Whatever a server says is taken for hostile until it was checked, every
wait has a limit (`base.Limits`, kept by `network.watchdog`), and no exception of a library leaves.

- `backends.connect` opens a session (`base.Server`); `ftp` and `sftp` are the backends, `ssh` and
  `network` lie beneath them, `access` is what both are given.
- `upload` brings a flight of files to their places, the same way over every backend: `job` is what
  it is given and tells; `sending` has the bytes and their verification, `free_names` whether a name
  is taken, `placing` the final names, `in_place` the way of servers that rename nothing, `takeover`
  what earlier starts have left.
- `settings_test` is the test on save, with `settings_trials` for what a server may hang over; a
  server's ways are stored as `config.accounts.Capabilities`, and later sessions go by them.
- `diagnosis` is the catalogue of causes: what is wrong, whose it is, what to do next.
- `sample_upload` sends a test file by the means of an upload; `sources` opens recordings.

What can go wrong (`errors`, `busy`, `ssh.errors`), by the kind that decides who has to mend it:

    TransferError                 every error that leaves this package; has a kind
      AccountFailure              account: the server, the login, the path
        ResolveFailed             the name has no address
        EgressDenied              the address is not one we may connect to
        ConnectFailed             no TCP connection
          FamilyNotReached        only IPv4, or only IPv6, and we have the other one
          DataConnectFailed         none for a file, where the login works
          NoPassive                 the server offers none for files
          CallBackFailed          none from the server to us (active mode)
        TlsFailed                 no TLS session
          TlsTooOld               no version of it that is safe
          HandshakeRefused        in TLS 1.2 for want of a certificate of ours, too
          ClientCertificateRefused  the server wants a certificate of ours
            ClientCertificateNotAccepted  and does not take the one that it was shown
              ClientCertificateEnded  which has ended
          ProtectionRefused       it would take files in clear
          CertificateRefused      what it shows is not valid
            CertificateExpired
            CertificateNotYetValid
            CertificateOfAnother  for another name
            CertificateUntrusted  by no authority that is trusted
        ProtocolFailed            it does not speak the protocol, or no algorithm in common
          NoSftp                    the login works, and no SFTP is offered
          FtpAnswers              an FTP server, where SFTP was asked for
          SshAnswers              an SSH server, where FTP was asked for
          NoTlsAnswers            an FTP server without TLS, where FTPS was asked for
          PlainAnswers            a greeting in clear, where FTPS (implicit) was asked for
          StrangerAnswers         some other service
          StartupText             the login prints text where SFTP begins
          NoCommonAlgorithm       of one kind of algorithm
            WeakAlgorithm         only one that is not taken unless the settings allow it
            TooOld                only by SHA-1
            RsaBySha1             a key of RSA, at a server that knows only SHA-1
        EncryptionAsked           it speaks FTP over TLS only
          ImplicitTlsAsked        from the first byte on
        HostKeyChanged            not the key that was pinned
          CertificateChanged      the same with FTPS
        LoginRefused              the credentials, or the logon type
          KeyWanted               no password will do
          KeyWantedToo            a key besides the password
          KeyNotAccepted          not this key
            CertificateNotAccepted  nor with its certificate
          KeyNotTaken             no key will do
          PasswordWantedToo       a password besides the key
          InteractiveOffered      maybe the logon type
          SecondFactorWanted      a code or a new password besides
          AgreementWanted         a yes to terms
        PathRefused               no such folder, or no right to write there
        RenameRefused             it has renamed in the test on save, and does not now
        QuotaExceeded             no space left
        Stalled                   no byte moved for the stall limit, or no reply in time
          SilentBeforeLogin       before it was told an account
            NoGreeting            not a word since it took the connection
            NoAnswerToTls         nor to TLS from the first byte
        ConnectionLost            cut in the middle
        AccountFault              a fault of the program on the way to the server
      FileFailure                 file: this name, this content
        NameRefused               the server does not take the name
        VerificationFailed        what arrived is not what was sent
          TemporaryGone           nothing is there: something has taken it away
          ContentDamaged          by the server's digest
        SingledOut                a test file arrived by the same means, this one did not
        FileFault                 a fault of the program while the file was brought to its place
      SourceFailure               source: the recording itself
        SourceMissing
        SourceUnreadable
          SourceAway              its store is away: no try, the file waits
            SourceRefused         the platform's login may not read there
        SourceMismatch            size or hash is not what the event says
        SourceChanged             replaced while it was read
        SourceFault               a fault of the program while it was opened or read
      ServerBusy                  busy: too many connections
        DataConnectionRefused     too many data connections
        FileRefusedBesideOthers   too many open files
        HungUp                    before the greeting
      OurFailure                  ours: nothing the customer could mend
        OutgoingFailed            our own way out is closed
          ActiveModeOff           no server may connect to this host
          ResourcesExhausted      the machine is out of descriptors, ports or memory
        NotPermitted              the lease is over: change nothing more
        Interrupted               the worker is stopping
        NoPortFree                for a server to connect to (active mode)
        NameInUse                 another recording on its way takes this name first

AccountFault, FileFault and SourceFault are ProgramFault too: what nobody foresaw. TargetExists,
Unsupported and CannotTell (`base`) are answers between a backend and an upload, and never leave.
"""
