"""The run: accelerator, data, players, steps, export; `train` reads from top to bottom."""

import contextlib
import errno
import itertools
import os
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import psutil
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs, gather_object

from gan_hub.training import trackers
from gan_hub.training.batches import Batches, load_data
from gan_hub.training.best_checkpoint import PREFIX, check_best
from gan_hub.training.checkpoint_schema import check_state
from gan_hub.training.checkpoints import CHECKPOINTS_NAME, Tensors, list_checkpoints, load_newest
from gan_hub.training.config import FREE_OPTIONS, TrainConfig
from gan_hub.training.export import finish
from gan_hub.training.resume import changes, refuse_other, remedy_of_new_run
from gan_hub.training.run import Run
from gan_hub.training.run_lock import held
from gan_hub.training.steps import train_step
from gan_hub.training.stopping import StoppedError, StopSignal, lasting_console
from gan_hub.training.train_state import TrainState

SHARDING = {
    "DeepSpeed": "ACCELERATE_USE_DEEPSPEED",
    "FSDP": "ACCELERATE_USE_FSDP",
    "Megatron-LM": "ACCELERATE_USE_MEGATRON_LM",
}
LAUNCHERS = {
    "accelerate", "accelerate.exe", "accelerate-launch", "accelerate-launch.exe", "launch.py", "accelerate_cli.py",
    "accelerate.commands.launch", "accelerate.commands.accelerate_cli",
}  # fmt: skip
CPU = getattr(torch.cpu, "get_capabilities", dict)()  # "architecture", "avx512_bf16", …; older torch does not tell
EMULATED = (
    "precision='bf16': this CPU has no arithmetic for it, so that it is emulated, many times slower than fp32; "
    "choose --precision fp32 here."
)
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS)  # what a disk says that takes no more
ACCELERATE_PRECISION = {"fp32": "no", "fp64": "no", "bf16": "bf16", "fp16": "fp16"}


def train(config: TrainConfig, resume: bool = False) -> Path:
    """Trains, and returns the Hub-ready folder runs/<name>/export.

    `resume` goes on from the newest valid checkpoint, on a CPU bit for bit where the configuration is the same; what of
    it may change is said, and where there is no checkpoint yet it starts anew. Raises ValueError or LoadError, in one
    sentence, for what cannot be done, OSError for a disk that does not take a checkpoint, and Stopped after a signal,
    its state saved. Meanwhile no other run can use the folder.
    """
    if (
        torch.get_default_dtype() != torch.float32
    ):  # the networks and all noise would be of it, and no such model is saved
        raise ValueError(f"torch's default dtype is {torch.get_default_dtype()}; a run needs float32 (see precision=).")
    _make_folder(config)
    accelerator = make_accelerator(config)
    with (
        lasting_console(),
        StopSignal(accelerator) as stop,
        _in_a_sentence(config, accelerator.num_processes),
        held(config.run_folder, accelerator),
    ):
        return _train(config, resume, accelerator, stop)


def _train(config: TrainConfig, resume: bool, accelerator: Accelerator, stop: StopSignal) -> Path:
    """The run from its data to its export, while its folder is held."""
    checkpoints = config.run_folder / CHECKPOINTS_NAME
    if not resume and list_checkpoints(checkpoints):
        raise ValueError(f"{config.run_folder} already has checkpoints; --resume goes on, another --name starts anew.")
    if config.precision == "bf16" and accelerator.device.type == "cpu" and emulates_bf16(CPU):
        accelerator.print(EMULATED)
    if resume and not list_checkpoints(checkpoints):
        accelerator.print(f"nothing to resume in {checkpoints}: starting anew.")
        resume = False
    with accelerator.main_process_first():  # what is decoded and kept on the disk is then there for the others
        data = load_data(config)
    players = TrainState(config, data.classes, accelerator)
    batches = Batches(data.train, config, players.latent_size, accelerator)
    past = _resume(players, checkpoints, config, data.fingerprint()) if resume else {}
    if config.initial and not resume:
        players.start_from(config.initial, config.initial_players)
    start = past.get("step", 0)
    _agree(accelerator, start, data.fingerprint())
    players.grow(start * config.batch_size)
    run = Run(config, accelerator, players, data, start, past, stop)
    with stop.plays():
        for step in range(start, run.last_step):
            images_seen = (step + 1) * config.batch_size
            players.set_lr_factor(config.learning_rate_factor(images_seen))
            players.grow(images_seen)
            metrics = train_step(players, config, batches, step)
            run.check(step + 1, metrics)
            players.ema.update(players.unwrapped_generator, config.batch_size, images_seen)

            run.record(step + 1, metrics)
            stopping = stop.requested()
            if stopping or run.due(step + 1, config.checkpoint_kimg):
                run.save(checkpoints, step + 1)
            if stopping:
                raise StoppedError(f"stopped at {images_seen / 1000:.1f} kimg; its state is saved, --resume goes on.")
            if step + 1 == run.last_step:  # earlier than it was at the start, when patience has ended
                break
    return finish(run)


def _agree(accelerator: Accelerator, start: int, fingerprint: str) -> None:
    """Raises ValueError where the processes, on machines without a common disk, found other checkpoints or images."""
    found = gather_object([(start, fingerprint)]) if accelerator.num_processes > 1 else []
    if len(set(map(tuple, found))) > 1:
        raise ValueError(
            f"the processes found different checkpoints or images (first steps {sorted({step for step, _ in found})}); "
            "output and data must lie on a disk that all machines share."
        )


def _make_folder(config: TrainConfig) -> None:
    """The run's folder, tried before anything is computed; raises ValueError where nothing can be written there."""
    try:
        config.run_folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=config.run_folder):
            pass
    except OSError as error:
        raise ValueError(
            f"output={config.output!r}: {config.run_folder} cannot be written ({error.strerror})."
        ) from error


def make_accelerator(config: TrainConfig) -> Accelerator:
    """Devices, processes and precision; raises ValueError for what would silently train something else."""
    _refuse_what_a_gan_cannot_use()
    trackers.check(config)
    cpu = _is_cpu(config.device)
    if cpu:
        os.environ["ACCELERATE_USE_CPU"] = "true"  # without it, torchrun's processes would each train alone on a CPU
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = config.tf32
    accelerator = Accelerator(
        cpu=cpu,
        mixed_precision=ACCELERATE_PRECISION[config.precision],
        log_with=config.tracker_names or None,
        project_config=trackers.folders(config),
        kwargs_handlers=[
            # Broadcasting buffers between the discriminator's two forwards breaks backward on CUDA (pytorch#175024);
            # what is saved and averaged is rank 0's. A network that can grow has colour layers for every level.
            DistributedDataParallelKwargs(broadcast_buffers=False, find_unused_parameters=config.can_grow),
            # The others wait while the first one scores and exports.
            InitProcessGroupKwargs(timeout=timedelta(hours=2)),
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
    """Whether a run is on the CPU; raises ValueError where the device it asks for is not there."""
    here = [torch.accelerator.current_accelerator().type] if torch.accelerator.is_available() else []
    if device in ("auto", "cpu"):
        return device == "cpu" or not here
    forced = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
    if device not in here or forced:
        built = ", built without CUDA," if device == "cuda" and not torch.backends.cuda.is_built() else ""
        why = "ACCELERATE_USE_CPU is set" if device in here else f"torch {torch.__version__}{built} finds none"
        raise ValueError(f"device={device!r}: {why}; here are auto, cpu{''.join(f', {name}' for name in here)}.")
    return False


def emulates_bf16(cpu: Mapping[str, object]) -> bool:
    """Whether a CPU of these capabilities, as torch names them, computes bf16 by other arithmetic; only known of x86."""
    return cpu.get("architecture") == "x86_64" and not (cpu.get("avx512_bf16") or cpu.get("amx_bf16"))


def _refuse_what_a_gan_cannot_use() -> None:
    """Raises ValueError for settings of an accelerate config that two players cannot follow, or not exactly."""

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
    """The words of the commands that this process was started by, as far as they may be looked at."""
    with contextlib.suppress(psutil.Error, OSError):
        for process in psutil.Process().parents():
            yield process.cmdline()


def _asks_to_accumulate(command: list[str]) -> bool:
    """Whether a launcher's command asks for gradient accumulation, which accelerate passes on to DeepSpeed alone."""
    names = [Path(word).name for word in command]
    place = next((place for place, name in enumerate(names) if name in LAUNCHERS), len(names))
    if any(name.endswith(".py") for name in names[:place]):  # another program, one of whose arguments is called so
        return False
    own = list(itertools.takewhile(lambda word: not word.endswith(".py"), command[place + 1 :]))  # not the script's
    for word, following in zip(own, [*own[1:], ""]):
        flag, _, value = word.partition("=")
        if flag.replace("-", "_") == "__gradient_accumulation_steps":
            return (value or following) != "1"
    return False


@contextlib.contextmanager
def _in_a_sentence(config: TrainConfig, processes: int) -> Iterator[None]:
    """Says what to do where the disk takes no more, or where the backend speaks of connections that another one closed."""
    try:
        yield
    except OSError as error:
        ours = error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(config.run_folder)
        if error.errno not in FULL and not (ours and isinstance(error, PermissionError)):
            raise
        raise OSError(
            f"{config.run_folder}: cannot be written ({error.strerror}). What was saved is kept: make room, or the folder "
            "writable, and go on with --resume."
        ) from error
    except RuntimeError as error:
        lost = ("Connection closed by peer", "Connection reset", "Broken pipe", "NCCL", "Timed out waiting", "gloo")
        if processes == 1 or not any(word in str(error) for word in lost):
            raise
        raise ConnectionError(
            "another process of this run ended, so that this one cannot go on. What was saved is kept; start all processes "
            "again with --resume."
        ) from error


def _resume(players: TrainState, checkpoints: Path, config: TrainConfig, fingerprint: str) -> dict:
    """The state of the newest valid checkpoint of the same data, after loading the players from it.

    Its step is counted in this run's batches, and `changes` says what of the configuration has changed.
    """
    accelerator, there = players.accelerator, {}

    def check(path: Path, state: dict) -> None:
        there[path] = check_state(path, state)
        refuse_other(path, state, there[path], config)
        if state["data"] != fingerprint:
            raise ValueError(
                f"{path} was trained on other images than data={config.data!r} holds now. {remedy_of_new_run(config)}"
            )

    def take(path: Path, tensors: Tensors, state: dict) -> None:
        check_best(path, tensors, state, players.networks)
        players.load(path, tensors, state)

    path, tensors, state, refused = load_newest(checkpoints, tuple(players.tensors()), check, take)
    for reason in refused:
        accelerator.print(f"passed over a checkpoint: {reason}")
    if state["processes"] != accelerator.num_processes:
        accelerator.print(
            f"note: {state['processes']} process(es) then, {accelerator.num_processes} now; not bit-equal."
        )
    images = state["step"] * there[path].batch_size
    accelerator.print(f"resumed from {path} ({images / 1000:.1f} kimg)")
    changed = changes(there[path], config)
    if changed:
        accelerator.print(f"changed since: {', '.join(changed.values())}")
    moved = [said for name, said in changed.items() if name not in FREE_OPTIONS]
    best = {name.removeprefix(PREFIX): content for name, content in tensors.items() if name.startswith(PREFIX)}
    return state | {"step": images // config.batch_size, "best_weights": best, "changes": moved}
