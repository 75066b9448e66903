"""What the tests of this folder do in the process that talks to the fake Hub."""

import contextlib
import io
import os
import time
from collections.abc import Callable
from pathlib import Path


def push(folder: Path, repo_id: str, variant: str | None = None, **kwargs) -> str:
    """Loads `folder` and pushes it; returns the address of the commit."""
    from gan_hub import GANPipeline

    pipe = GANPipeline.from_pretrained(folder)
    return pipe.push_to_hub(repo_id, variant=variant, **kwargs)


def upload(folder: Path, repo_id: str) -> str:
    from gan_hub.hub.upload import upload

    return upload(folder, repo_id)


def upload_files(folder: Path, repo_id: str) -> None:
    """Uploads a folder as anybody may, whatever is in it."""
    from huggingface_hub import HfApi

    HfApi().create_repo(repo_id, exist_ok=True)
    HfApi().upload_folder(repo_id=repo_id, folder_path=folder)


def check(repo_id: str, token: str | None) -> str | None:
    """The refusal of a run's push before it trains; None where it may begin."""
    from gan_hub import LoadError
    from gan_hub.hub.access import check_push

    try:
        return check_push(repo_id, token)
    except LoadError as error:
        return str(error)


def home() -> str:
    """The folder of this process in which huggingface_hub has its cache, where nothing else is asked for."""
    return os.environ["HF_HOME"]


def load(source: str, **kwargs) -> dict:
    """The result of loading `source`: every tensor, an image, logits, the seconds it took and what was printed, or the error."""
    from gan_hub import GANPipeline, LoadError

    start, told = time.monotonic(), io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            pipe = GANPipeline.from_pretrained(source, **kwargs)
    except LoadError as error:
        return {"error": str(error), "seconds": time.monotonic() - start, "told": told.getvalue()}
    players = {name: getattr(pipe, name) for name in ("generator", "discriminator")}
    out = pipe(seeds=[1, 2], output_type="np")
    return {
        "seconds": time.monotonic() - start,
        "told": told.getvalue(),
        "tensors": {f"{p}.{n}": t.numpy() for p, m in players.items() if m for n, t in m.state_dict().items()},
        "images": out.images,
        "logits": None if pipe.discriminator is None else pipe.discriminate(out.images).numpy(),
        "label_names": pipe.label_names,
        "calibration": pipe.calibration,
        "folder": pipe.name_or_path,
    }


def load_generator(source: str, **kwargs) -> dict:
    from gan_hub.models.dcgan import DCGANGenerator

    return {n: t.numpy() for n, t in DCGANGenerator.from_pretrained(source, **kwargs).state_dict().items()}


def download(repo_id: str, name: str, **kwargs) -> bytes:
    from gan_hub.hub.resolve import download_file

    return download_file(repo_id, name, **kwargs).read_bytes()


def save_and_push(folder: Path, target: Path, repo_id: str, **kwargs) -> None:
    from gan_hub import GANPipeline

    GANPipeline.from_pretrained(folder).save_pretrained(target, push_to_hub=True, repo_id=repo_id, **kwargs)


def told_by(function: Callable, *args, **kwargs) -> str:
    """What `function` prints on stderr."""
    with contextlib.redirect_stderr(io.StringIO()) as told:
        function(*args, **kwargs)
    return told.getvalue()


def shell(*arguments: object) -> tuple[int, str, str]:
    """Runs `gan-hub` → (exit code, standard output, standard error)."""
    from gan_hub import cli

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main([*map(str, arguments)])
        except SystemExit as left:
            code = left.code
    return code, out.getvalue(), err.getvalue()


def push_network(folder: Path, repo_id: str, **kwargs) -> None:
    """Saves the generator of a model alone, in a folder that it pushes as `repo_id`."""
    from gan_hub import GANPipeline

    generator = GANPipeline.from_pretrained(folder, discriminator=None).unwrapped_generator
    generator.save_pretrained(folder.parent / "network", push_to_hub=True, repo_id=repo_id, **kwargs)


def count_answers(answers: list[dict], repo_id: str) -> str:
    """Counts answers of the game for a dataset of the Hub, and uploads them now; what went wrong, as the owner reads it."""
    from gan_hub.demo import answer_log
    from gan_hub.demo.arguments import ANSWERS_VARIABLE
    from gan_hub.metrics.human_answers import Answer

    os.environ[ANSWERS_VARIABLE] = repo_id
    complaints = io.StringIO()
    with contextlib.redirect_stderr(complaints):
        for answer in answers:
            answer_log.count(Answer.of(answer))
        place = answer_log._place(repo_id)
        place.connecting.join()
    if place.scheduler is not None:
        place.scheduler.trigger().result()
        place.scheduler.stop()
    answer_log._place.cache_clear()
    return complaints.getvalue()
