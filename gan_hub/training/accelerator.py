"""The accelerator of a run: device, processes, precision; refuses settings that a GAN cannot use."""

import contextlib
import itertools
import os
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import psutil
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs

from gan_hub.training import trackers
from gan_hub.training.config import TrainConfig

SHARDING = {
    "DeepSpeed": "ACCELERATE_USE_DEEPSPEED",
    "FSDP": "ACCELERATE_USE_FSDP",
    "Megatron-LM": "ACCELERATE_USE_MEGATRON_LM",
}
LAUNCHERS = {
    "accelerate", "accelerate.exe", "accelerate-launch", "accelerate-launch.exe", "launch.py", "accelerate_cli.py",
    "accelerate.commands.launch", "accelerate.commands.accelerate_cli",
}  # fmt: skip
# "architecture", "avx512_bf16", …; older torch has no such function.
CPU = getattr(torch.cpu, "get_capabilities", dict)()
EMULATED = (
    "precision='bf16': this CPU has no arithmetic for it, so that it is emulated, many times slower than fp32; "
    "choose precision fp32 here."
)
ACCELERATE_PRECISION = {"fp32": "no", "fp64": "no", "bf16": "bf16", "fp16": "fp16"}
# Environment variables that a run sets for accelerate and for the trackers.
VARIABLES = ("ACCELERATE_USE_CPU", *(variable for folders in trackers.FOLDERS.values() for variable in folders))
PATIENCE = timedelta(hours=2)  # the other processes wait while the first one scores and exports
TRAINING = threading.Lock()  # one training at a time: accelerate's state and torch's random numbers are the process's


@contextlib.contextmanager
def only_training_of_this_process() -> Iterator[None]:
    """Inside, the process-wide state of accelerate, torch and the environment is one run's; afterwards it is as before.

    Raises ValueError while another training runs in this process.
    """
    if not TRAINING.acquire(blocking=False):
        raise ValueError("another training runs in this process; wait for its end, or use a process of its own.")
    environment = {name: os.environ.get(name) for name in VARIABLES}
    tf32 = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    joined, prepared = bool(PartialState._shared_state), bool(AcceleratorState._shared_state)
    try:
        yield
    finally:
        for name, value in environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = tf32
        # Another run may have another precision or device. Several processes stay connected until they end.
        if not prepared and PartialState._shared_state and PartialState().num_processes == 1:
            AcceleratorState._reset_state(reset_partial_state=not joined)
        TRAINING.release()


def process_state(config: TrainConfig) -> PartialState:
    """This process among those of the run, and its device, whose arithmetic is set.

    Raises ValueError as `make_accelerator` does, which may follow.
    """
    _refuse_unusable_settings()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = config.tf32
    cpu = _is_cpu(config.device)
    if cpu:
        os.environ["ACCELERATE_USE_CPU"] = "true"  # without it, torchrun's processes would each train alone on a CPU
    return PartialState(cpu=cpu, timeout=PATIENCE)


def make_accelerator(config: TrainConfig) -> Accelerator:
    """Devices, processes and precision; raises ValueError for what would silently train something else."""
    trackers.check(config)
    process_state(config)
    accelerator = Accelerator(
        cpu=_is_cpu(config.device),
        mixed_precision=ACCELERATE_PRECISION[config.precision],
        log_with=[*config.tracker_names] or None,
        project_config=trackers.folders(config),
        kwargs_handlers=[
            # Broadcasting buffers between the discriminator's two forwards breaks backward on CUDA (pytorch#175024);
            # what is saved and averaged is rank 0's. A network that can grow has colour layers for every level.
            DistributedDataParallelKwargs(broadcast_buffers=False, find_unused_parameters=config.can_grow),
            InitProcessGroupKwargs(timeout=PATIENCE),
        ],
    )
    if config.precision == "fp16" and accelerator.device.type != "cuda":
        raise ValueError(f"precision='fp16' needs a CUDA GPU, but this run is on {accelerator.device}; choose bf16.")
    if config.batch_size % accelerator.num_processes:
        raise ValueError(
            f"batch_size={config.batch_size} is not divisible by the {accelerator.num_processes} processes of this run."
        )
    return accelerator


def _is_cpu(device: str) -> bool:
    """Whether a run with this `device` option is on the CPU; raises ValueError where that device does not exist here."""
    current = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    here = [] if current is None else [current.type]
    if device in ("auto", "cpu"):
        return device == "cpu" or not here
    forced = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
    if device not in here or forced:
        built = ", built without CUDA," if device == "cuda" and not torch.backends.cuda.is_built() else ""
        why = "ACCELERATE_USE_CPU is set" if device in here else f"torch {torch.__version__}{built} finds none"
        raise ValueError(f"device={device!r}: {why}; here are auto, cpu{''.join(f', {name}' for name in here)}.")
    return False


def emulates_bf16(cpu: Mapping[str, object]) -> bool:
    """Whether a CPU of these capabilities, as torch names them, emulates bf16; only x86 CPUs are known to."""
    return cpu.get("architecture") == "x86_64" and not (cpu.get("avx512_bf16") or cpu.get("amx_bf16"))


def _refuse_unusable_settings() -> None:
    """Raise ValueError for settings of an accelerate config that a GAN cannot follow, or not exactly."""

    def set_to(name: str, *off: str) -> bool:
        return os.environ.get(name, "").lower() not in ("", "false", "0", *off)

    if set_to("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "1") or any(map(_asks_to_accumulate, _ancestors())):
        raise ValueError("gradient accumulation is not exact with two players; choose a smaller batch_size instead.")
    for name, switch in SHARDING.items():
        if set_to(switch):
            raise ValueError(
                f"{name} shards one network with one optimizer, and a gradient penalty needs second derivatives; a GAN's "
                "two players fit on one GPU each: use recipes/accelerate/many-gpus.yaml."
            )
    if set_to("ACCELERATE_DYNAMO_BACKEND", "no"):
        raise ValueError("accelerate's dynamo_backend would compile penalties as well, which fails; use compile=true.")


def _ancestors() -> Iterator[list[str]]:
    """The command line of each parent of this process, as far as the system lets us read them."""
    with contextlib.suppress(psutil.Error, OSError):
        for process in psutil.Process().parents():
            yield process.cmdline()


def _asks_to_accumulate(command: list[str]) -> bool:
    """Whether a launcher's command line sets gradient accumulation, which accelerate passes on to DeepSpeed only."""
    names = [Path(word).name for word in command]
    place = next((place for place, name in enumerate(names) if name in LAUNCHERS), len(names))
    if any(name.endswith(".py") for name in names[:place]):  # another program with an argument of that name
        return False
    own = list(itertools.takewhile(lambda word: not word.endswith(".py"), command[place + 1 :]))  # not the script's
    for word, following in itertools.pairwise([*own, ""]):
        flag, _, value = word.partition("=")
        if flag.replace("-", "_") == "__gradient_accumulation_steps":
            return (value or following) != "1"
    return False
