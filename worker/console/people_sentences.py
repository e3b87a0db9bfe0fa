"""What lower layers say of users, passwords, tokens and accounts, named for translation (see
`sentences`)."""

from worker.console.language import mark as N_

WORDS: tuple[str, ...] = (
    # config.users, passwords, factors
    N_(
        "A login is an e-mail address, or up to 64 letters, digits, '.', '_' or '-' beginning with "
        "a letter or a digit."
    ),
    N_("The password must be neither the login nor one character repeated."),
    N_("The password must be valid Unicode text."),
    N_("The second factor is on already: switch it off first."),
    N_("This was begun too long ago: begin again."),
    N_("The second factor was changed elsewhere: look at what it is now."),
    N_("There is no second factor: set one up first."),
    # config.secrets, worker.console.sessions
    N_(
        "Passwords and keys are stored encrypted only, and COURIER_SECRET_KEYS is not set: put a "
        "Fernet key there ('courier secrets generate' prints one)."
    ),
    N_(
        "Nobody can sign in, because COURIER_SECRET_KEYS is not set: put a Fernet key there "
        "('courier secrets generate' prints one)."
    ),
    # config.text
    N_("must not hold line breaks or other control characters"),
    N_("must be valid Unicode text"),
    N_("must not hold invisible characters that change the direction of writing"),
    N_("must be an e-mail address, such as it@customer.example"),
    # titles of docs that the console shows (worker.console.guides)
    N_("Help for an account's administrator"),
    N_("Guide to the API"),
)

PATTERNS: tuple[str, ...] = (
    N_("There is no user %(login)s: 'courier users list' shows those there are."),
    N_("The login %(login)s is taken: choose another one, such as an e-mail address."),
    N_("The password must have %(least)s to %(most)s characters."),
    N_("There are %(number)s tokens already: revoke those that are not used any more."),
    N_("There is no token %(token)s: 'courier tokens list' shows those there are."),
    N_("The token's name %(word_problem)s."),
    N_("The token's name must have 1 to %(most)s characters: say what it is used for."),
    N_("A token may stand for 1 to %(days)s days, or without an end."),
    N_("There is no account %(account)s: 'courier accounts list' shows those there are."),
    N_(
        "%(account)s is not an account id: up to 64 letters, digits, '.', '_' or '-', beginning "
        "with a letter or a digit."
    ),
    N_("The account %(account)s exists already."),
    N_("The account %(account)s is its own ancestor."),
    N_("The parent account %(account)s does not exist."),
    N_("The account %(account)s has no FTP settings, which alerts belong to: save those first."),
    N_(
        "The account %(account)s has no FTP settings to switch on or off: 'courier accounts set' "
        "stores them."
    ),
    N_("The account %(account)s has no FTP settings to remove."),
    N_("The account %(account)s has the sub account %(child)s: remove that first."),
    N_("The number %(number)s is not one of the account %(account)s."),
    N_("The number %(number)s is not known."),
)
