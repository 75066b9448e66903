"""The same generator in several pipelines: plain, and with each engine that this machine has."""

from collections.abc import Callable

from gan_hub import GANPipeline
from gan_hub.engines import ENGINES

PLAIN = "pipeline, plain"
NOT_TRIED = ("plain", "compile")  # one is the reference; the other needs a compiler, and minutes
CHOOSING = 1.0  # seconds in which `auto` measures
ANY_LEVELS = 255  # of difference are allowed: how many there are is shown


def pipelines(
    make: Callable[[], GANPipeline], batch: int, choose: bool = False
) -> tuple[dict[str, GANPipeline], dict[str, dict]]:
    """Pipelines by name, and what is known of each.

    Args:
        make: Makes a pipeline, always of the same weights.
        batch: Images at a time, for which an engine chooses its kernels.
        choose: Also see which engine `auto` takes, for which all are built anew.

    Returns:
        The pipelines; and by the same names `dtype` and `levels`, the largest difference from the plain one in levels of 255,
        with the engine that `auto` takes under "auto" where that was asked for.
    """
    pipes = {PLAIN: make()}
    about: dict[str, dict] = {PLAIN: {"dtype": "float32"}}
    for engine in ENGINES:
        if engine in NOT_TRIED:
            continue
        pipe = make()
        try:
            pipe.optimize(engine, batch_size=batch, max_levels=ANY_LEVELS)
        except ValueError as error:  # not on this machine
            about[engine] = {"missing": str(error)}
            continue
        pipes[engine] = pipe
        about[engine] = {"dtype": pipe.engine.dtype, "levels": pipe.engine.levels.get(engine, 0.0)}
    if choose:
        about["auto"] = {"engine": make().optimize(batch_size=batch, seconds=CHOOSING).engine.name}
    return pipes, about
