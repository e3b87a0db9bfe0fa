"""What the API gives of a recording's story. The shapes themselves are `worker.story`'s."""

from consumers.ledger import Document
from transports.diagnosis import Whose
from transports.errors import Kind, Speaker
from worker.console.api.models import DeliveryShape, Given, Time
from worker.core import Core
from worker.show import Shape, delivery_shape
from worker.story import read_story
from worker.story_step import step_shape


class StepOfStoryShape(Given):
    """One thing that happened to a recording, or how it stands now."""

    at: Time | None
    """When it happened, or began; null: it is so now."""
    what: str
    """`arrived`, `routed`, `left_to_email`, `failed`, `delivered`, `lost`, `taken_back`,
    `dead_lettered`, `replayed`, `redelivered`, `discarded`, `replaced`, `suspended`, `paused`,
    `gap`, `uploading` or `waits`."""
    text: str
    """The same in a sentence."""
    until: Time | None
    """When it was over, or happened last."""
    times: int
    next_at: Time | None
    """Not before then it is tried again."""
    phase: str | None
    """How far a try came: `opening`, `reading`, `connecting`, `login`, `folder`, `looking`,
    `writing`, `verifying`, `renaming` or `recording`."""
    said: str | None
    """The last words of a failure, in its first 200 characters."""
    said_by: Speaker | None
    kind: Kind | None
    cause: str | None
    """Its code in the catalogue of causes."""
    whose: Whose | None
    """Who can mend it."""
    next_step: str | None
    counted: bool | None
    """Whether it cost one of the file's tries."""
    bytes: int | None
    """Bytes that went to the server."""
    seconds: float | None
    verified: str | None
    worker: str | None
    """The process that did it; for the service provider's tokens."""


class DeliveryStoryShape(DeliveryShape):
    """A recording, what became of it, and how."""

    story: list[StepOfStoryShape]


def delivery_story(core: Core, row: Document, *, is_operator: bool) -> Shape:
    """A recording with its story."""
    story = read_story(core, row, is_operator=is_operator)
    shape = delivery_shape(row, for_customer=not is_operator)
    return {**shape, "story": [step_shape(each) for each in story]}
