"""Settings of one training run: a frozen record, checked together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args, get_type_hints

from generic.errors import TrainingError
from generic.photos.open import Fit

Loss = Literal["emd", "mse", "emd+mse", "official-emd"]
Optimiser = Literal["adamw", "adam", "sgd"]
Schedule = Literal["cosine", "constant", "steps"]
Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a network is trained.

    Raises:
        TrainingError: impossible values; all of them in one message.
    """

    loss: Loss = "emd"
    """``emd`` on distributions, ``mse`` on unit scores, ``emd+mse`` the sum of both; ``official-emd`` is
    the released code's, see :func:`generic.losses.official_emd`."""
    optimiser: Optimiser = "adamw"
    """AdamW; Adam as EAT's paper and its code have it; SGD with a momentum of 0.9 as NIMA has it."""
    rate: float = 1e-4
    """Highest learning rate."""
    decay: float = 0.05
    """Weight decay of matrices; vectors and what the network excepts have none."""
    schedule: Schedule = "cosine"
    """``cosine`` falls to 0 at the end, ``steps`` by ``step_factor`` every ``step_epochs``."""
    step_epochs: int = 5
    """Epochs between two steps of the schedule ``steps``."""
    step_factor: float = 0.1
    """What a step multiplies the rate by, in (0, 1]."""
    warmup: float = 0.05
    """Share of all steps in which the rate rises from 0, in [0, 1)."""
    epochs: int = 20
    """Passes over the photos."""
    batch: int = 64
    """Photos in one step of the optimiser, over all processes and passes."""
    micro_batch: int | None = None
    """Photos in one pass of the network on one process; gradients of several passes are added up. None: a
    process's share of the batch in one pass."""
    layer_decay: float = 1.0
    """Each layer's rate as a share of the next one's, from the input to the head, in (0, 1]; 1: all alike."""
    stem_rate: float = 1.0
    """Rate of all layers but the head as a share of ``rate``, in (0, 1]: a head begins at random, what is
    before it does not. On top of ``layer_decay``."""
    freeze: tuple[tuple[int, float], ...] = ()
    """Pairs (from epoch, share): the share of the layers, from the input on, that is not trained from that
    epoch on. ``((0, 1.0), (2, 0.0))`` trains the head alone for two epochs."""
    ema: float = 0.0
    """Decay of the running mean of weights, which is then validated and written; 0: none."""
    clip: float = 1.0
    """Longest gradient; 0: any."""
    precision: Precision = "fp32"
    """Arithmetic of the network; losses are float32 always."""
    grad_checkpointing: bool = False
    """Less memory, about a third more time."""
    fit: Fit = "squash"
    """How a photo becomes a square, see :func:`generic.photos.open.load_pixels`; scoring does the same."""
    flip: bool = True
    """Mirror half of the photos: left and right hardly matter to a photo's beauty."""
    crop: float = 1.0
    """Least share of a photo's area that a random crop keeps; 1: no crop, which would change the composition
    and with it what is judged."""
    workers: int = 2
    """Processes that decode photos, for each training process."""
    save_every: int = 500
    """Steps between two saved states; one is saved after each epoch too."""
    seed: int = 0
    """Names every random stream of the run."""

    def __post_init__(self) -> None:
        # TOML and JSON know no tuples.
        try:
            object.__setattr__(self, "freeze", tuple((int(a), float(b)) for a, b in self.freeze))
        except (TypeError, ValueError):
            raise TrainingError(
                f"training setting freeze is {self.freeze!r}, expected pairs of an epoch and a share such as "
                f"[[0, 1.0], [2, 0.0]]"
            ) from None
        problems = list(self._problems())
        if problems:
            raise TrainingError(f"the training settings cannot be used: {'; '.join(problems)}")

    def _problems(self) -> Iterator[str]:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                yield f"{name} is {getattr(self, name)!r}, expected one of {', '.join(choices)}"
        for name in ("epochs", "batch", "micro_batch", "step_epochs", "save_every"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                yield f"{name} is {value}, expected a whole number of at least 1"
        for name, (low, high, ends) in _RANGES.items():
            value = getattr(self, name)
            inside = (
                low < value < high or (value == low and ends[0] == "[") or (value == high and ends[1] == "]")
            )
            if not inside:
                yield f"{name} is {value:g}, expected a number in {ends[0]}{low:g}, {high:g}{ends[1]}"
        starts = [epoch for epoch, _ in self.freeze]
        if starts != sorted(set(starts)) or any(not 0 <= share <= 1 for _, share in self.freeze):
            yield f"freeze is {self.freeze}, expected rising epochs with shares in [0, 1]"

    @property
    def has_bins(self) -> bool:
        """True if the network gives a distribution."""
        return self.loss != "mse"

    @property
    def softmax(self) -> bool:
        """True if the network's outputs are logits."""
        return self.loss != "official-emd"


_CHOICES: Mapping[str, tuple[str, ...]] = {
    **{"loss": get_args(Loss), "optimiser": get_args(Optimiser), "schedule": get_args(Schedule)},
    **{"precision": get_args(Precision), "fit": get_args(Fit)},
}
_RANGES: Mapping[str, tuple[float, float, str]] = {
    "rate": (0, 1000, "(]"),
    "decay": (0, 1000, "[]"),
    "step_factor": (0, 1, "(]"),
    "warmup": (0, 1, "[)"),
    "layer_decay": (0, 1, "(]"),
    "stem_rate": (0, 1, "(]"),
    "ema": (0, 1, "[)"),
    "clip": (0, 1e9, "[]"),
    "crop": (0, 1, "(]"),
    "workers": (0, 1024, "[]"),
}


_NOT_OPTIONS: Mapping[str, str] = {
    "img_size": "give size",
    "num_classes": "the loss and the scale of the scores say how many outputs it has",
    "pretrained": "weights to begin with are --start",
}


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """Which network is trained.

    Raises:
        TrainingError: a name that is no text, or a size that is no number of pixels.
    """

    name: str
    """In timm's registry, where EAT's presets are too."""
    size: int | None = None
    """Side of the input square in pixels; None: the network's own."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the network beside its outputs and its size, such as ``drop_path_rate``."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TrainingError(f"the network's name is {self.name!r}, expected one of timm's, in quotes")
        if self.size is not None and (not _is(self.size, int) or self.size < 1):
            raise TrainingError(
                f"the network's size is {self.size!r}, expected a whole number of pixels of at least 1"
            )
        for option, cure in _NOT_OPTIONS.items():
            if option in self.options:
                raise TrainingError(f"{option!r} is no option of a network here; {cure}")


def settings_from(content: Mapping[str, Any], base: Settings) -> Settings:
    """Settings with some values replaced; None keeps the value of ``base``.

    Raises:
        TrainingError: an unknown name, a value of another type, or an impossible one.
    """
    given = {name: value for name, value in content.items() if value is not None}
    known = {one.name for one in fields(Settings)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise TrainingError(
            f"there is no training setting {unknown[0]!r}; the settings are {', '.join(sorted(known))}"
        )
    hints = get_type_hints(Settings)
    for name, value in given.items():
        wanted = hints[name]
        if wanted in (int, float, bool) and not _is(value, wanted):
            raise TrainingError(f"training setting {name} is {value!r}, expected {_WORDS[wanted]}")
    try:
        return Settings(**{**asdict(base), **given})
    except (TypeError, ValueError) as error:
        raise TrainingError(f"the training settings cannot be used: {error}; correct their types") from error


_WORDS = {int: "a whole number", float: "a number", bool: "true or false"}


def _is(value: object, wanted: type) -> bool:
    if isinstance(value, bool) or wanted is bool:
        return isinstance(value, bool) and wanted is bool
    return isinstance(value, int) if wanted is int else isinstance(value, int | float)
