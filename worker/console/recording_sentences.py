"""What lower layers say of accounts, recordings and dead letters, named for translation (see
`sentences`)."""

from worker.console.language import mark as N_

WORDS: tuple[str, ...] = (
    # states of accounts (consumers.ledger.summaries) and why they are disabled
    N_("active"),
    N_("probing"),
    N_("suspended"),
    N_("paused"),
    N_("disabled"),
    N_("no FTP access"),
    N_("no FTP access above it"),
    N_("no FTP settings"),
    N_("switched off"),
    N_("The account has no FTP access: it was not granted. Files stay queued until it has."),
    N_(
        "The account has no FTP access: an account above it has none. Files stay queued until it "
        "has."
    ),
    N_("No FTP settings are stored yet. Files stay queued until there are."),
    N_("The FTP settings are switched off. Files stay queued until they are switched on."),
    # statuses of recordings, by what they were checked (worker.show), where they go
    N_("queued"),
    N_("uploading"),
    N_("delivered"),
    N_("dead letter"),
    N_("skipped"),
    N_("left to e-mail"),
    N_("discarded"),
    N_("the size that the server tells"),
    N_("the server's reply alone"),
    N_("the server's digest of the file"),
    N_("FTP & Email"),
    N_("Email"),
    # dead letters (consumers.ledger.dead_letter_causes)
    N_("your server"),
    N_("customer's server"),
    N_("this file"),
    N_("our platform"),
    N_("Worker processes have ended each time they tried this file."),
    N_(
        "Nothing to do at the server: the platform's operators find in the log what the workers "
        "died of, mend it, and replay the file."
    ),
    N_("Look at the last error of each file, have it mended, then replay the files."),
    N_("The server has refused the file."),
    N_("The platform could not read the recording."),
    N_("Nothing to do at the server: the platform's operators look at the recording's place."),
    N_("The platform has failed."),
    N_("Nothing to do at the server: the platform's operators look at the log."),
    N_("The file could not be brought to the server."),
    # invalid events (consumers.intake.reasons)
    N_("It is not JSON in UTF-8, or a known field is missing or wrong, or file_name is no name."),
    N_("Its file_url is of a kind that is not supported."),
    N_("There is no account of this id."),
    N_("What is stored of the account cannot be read."),
    N_("Its number belongs to another account."),
    N_("The recording_id was used before, with another account_id or file_url."),
    N_("A message lay in an account's queue that no event has brought there."),
    N_("Courier failed of it, and its log says how: publish it again once that is mended."),
    # what cannot be searched for: worker.searching, consumers.ledger.search
    N_("The end must be later than the beginning: change one of them."),
    N_("This is no place in the list: begin with its first page."),
    N_("This has characters that cannot be typed: leave them out."),
    N_("This is no time: type it as 2026-11-23 14:05 or 2026-11-23, in UTC."),
    N_(
        "The search took too long and was ended: name an account, a number, the beginning of a "
        "file name or a shorter time as well."
    ),
    N_(
        "The audit was looked through for too long, and that was ended: name an account, who did "
        "it or a shorter time as well."
    ),
    N_(
        "The indexes for searching are not there yet: the running service makes them in the "
        "background, which takes minutes where there are millions of recordings."
    ),
    # lists of accounts (worker.account_list)
    N_("Page must be a number from 1 on."),
    N_("Cause must be a code of the catalogue (docs/errors.md)."),
    N_("Beneath must be an account's id."),
    # the story of a recording (worker.story, worker.story_standing)
    N_("The recording arrived."),
    N_("It was left to e-mail: so says the delivery method of its number."),
    N_("It was put into its account's queue."),
    N_("It waits: the account is paused."),
    N_("The account was paused."),
    N_("The account was suspended, and the file waited."),
    N_("The account was suspended: its files wait."),
    N_("That try does not count: the account was changed meanwhile."),
    N_("Somebody put it back on its way. Its tries start anew."),
    N_("The account delivers again, so it went back on its way by itself. Its tries start anew."),
    N_("It went back on its way: its account was changed while its last try failed."),
    N_("Somebody asked to have it delivered once more. Its tries start anew."),
    N_("Delivered. More was not kept of it then."),
    N_("A try was begun, and ended."),
    N_("The suspended account was tried with this file, and failed."),
    N_("That costs the file no try."),
    N_("Delivered: an earlier try had brought it, as was found now. Nothing was sent again."),
    N_("The platform was interrupted in the middle of a try. The file is brought by the next."),
    N_("How a try ended could not be written down. The next one finds out."),
    N_("It became a dead letter: its tries are used up. Somebody may replay or discard it."),
    N_("It became a dead letter: no try of it comes to an end. Somebody may replay or discard it."),
    N_(
        "It became a dead letter: all of its tries failed by the account. It goes back on its way "
        "by itself once the account delivers again."
    ),
    N_("It was skipped: its tries are used up. Somebody may replay or discard it."),
    N_("It was skipped: no try of it comes to an end. Somebody may replay or discard it."),
    N_(
        "It was skipped: all of its tries failed by the account. It goes back on its way by itself "
        "once the account delivers again."
    ),
    N_("It was given up with its account."),
    N_("Somebody gave it up for good."),
    N_("A try failed."),
    N_("More was not kept of it then."),
    N_("It is being sent now."),
    N_("It waits, and its account was removed: it is given up soon."),
    N_("It waits until somebody resumes the account."),
    N_("The account's oldest file is tried; once that arrives, this follows."),
    N_("It waits: when the time is over the account is tried with its oldest file."),
    N_("It waits for its next try."),
    N_("It is not in its account's queue yet: that is done by itself."),
    N_("It waits for its turn."),
    # how far a try came (worker.story.PHASES)
    N_("while opening the recording"),
    N_("while reading the recording"),
    N_("while connecting to the server"),
    N_("while logging in"),
    N_("while making the folder"),
    N_("while looking at what stands at the server"),
    N_("while sending"),
    N_("while checking what had arrived"),
    N_("while giving it its name"),
    N_("while writing down how it ended"),
)

PATTERNS: tuple[str, ...] = (
    N_("the server's %(digest)s of the file"),
    # when a delivery window opens (worker.show)
    N_("Monday %(time)s (%(zone)s)"),
    N_("Tuesday %(time)s (%(zone)s)"),
    N_("Wednesday %(time)s (%(zone)s)"),
    N_("Thursday %(time)s (%(zone)s)"),
    N_("Friday %(time)s (%(zone)s)"),
    N_("Saturday %(time)s (%(zone)s)"),
    N_("Sunday %(time)s (%(zone)s)"),
    N_("The cause is %(code)s."),
    N_("It has more than %(number)s bytes."),
    N_("This is longer than %(number)s characters: shorten it."),
    N_("Type a number or at least %(number)s digits of its end: %(examples)s."),
    N_("Type at least %(number)s letters of the name after the %(sign)s."),
    N_("Choose one of these: %(choices)s."),
    N_("%(field)s must be one of: %(choices)s."),
    N_("%(field)s must be at most %(number)s characters."),
    N_("Sort must be one of %(choices)s, or one with '-'."),
    # the story of a recording
    N_("The account was suspended %(times)s times, and the file waited."),
    N_("The account was suspended %(times)s times: its files wait."),
    N_("Events of its story that were not kept: %(number)s."),
    N_(
        "Somebody asked to have it delivered once more. It stood there as %(place)s before. "
        "Its tries start anew."
    ),
    N_("Try %(number)s failed."),
    N_("Try %(number)s failed %(word_phase)s."),
    N_("A try was begun, and ended %(word_phase)s."),
    N_("A try was begun %(times)s times, and ended each time."),
    N_("A try was begun %(times)s times, and ended each time %(word_phase)s."),
    N_("The suspended account was tried with this file, and failed %(word_phase)s."),
    N_("The suspended account was tried with this file %(times)s times, and failed each time."),
    N_(
        "The suspended account was tried with this file %(times)s times, and failed each time "
        "%(word_phase)s."
    ),
    N_("Delivered: %(bytes)s bytes, checked by %(word_means)s."),
    N_("A later recording of the same name took its place: %(recording)s."),
    N_("The last of %(number)s failed tries."),
    N_("It waits for the account's delivery window: %(sentence_opening)s."),
)
