"""`gan-hub concepts`: found, named, dropped, drawn, and written into the right folder."""

from pathlib import Path

import numpy as np
from PIL import Image

from gan_hub import GANPipeline, cli

FEW = ("--seeds", "0-99", "--held-out", "500-519")


def test_concepts_are_found_named_dropped_and_drawn(run, tiny_model_copy, tmp_path):
    model = tiny_model_copy
    assert run("concepts", model) == (0, f"{model} has no concepts; --find finds some.\n", "")
    code, out, err = run("concepts", model, "--find", "brightness,sefa", "--count", 2, *FEW, "--picture", "look.png")
    assert code == 0 and err.split() == ["brightness", "…", "sefa", "…"]
    assert out.count("of 20 seeds\n") == 3 and f"{model}: 3 concepts" in out and "four rows a concept" in out
    assert Image.open("look.png").size == (9 * 30 - 2, 12 * 30 - 2)
    assert list(GANPipeline.from_pretrained(model).concepts) == ["brightness", "sefa 1", "sefa 2"]

    code, out, err = run("concepts", model, "--name", "sefa 1=long ears", "--drop", "sefa 2")
    pipe = GANPipeline.from_pretrained(model)
    assert (code, err, list(pipe.concepts)) == (0, "", ["brightness", "long ears"])
    assert pipe.concepts["long ears"].method == "SeFa 1 in z, length by 100 seeds"
    assert run("concepts", model)[1] == "".join(out.rsplit(f"{model}: 2 concepts\n"))

    code, out, err = run(
        "sample", model, "--seeds", 4, "--concept", "long ears=-1.5", "--concept", "brightness=1", "--out", "x.png"
    )
    assert (code, err) == (0, "")
    with Image.open("x.png") as picture:
        expected = pipe(seeds=[4], concepts={"long ears": -1.5, "brightness": 1}, output_type="np").images[0]
        assert np.array_equal(np.asarray(picture), expected[..., 0])
        assert picture.text["concepts"] == "long ears=-1.5, brightness=1"


def test_concepts_go_into_another_folder_of_the_same_model_or_a_new_one(
    run, tiny_model, tiny_rgb_model, tiny_model_copy
):
    for folder in (tiny_model_copy, Path("new")):
        assert run("concepts", tiny_model, "--find", "contrast", *FEW, "--out", folder)[0] == 0
        assert list(GANPipeline.from_pretrained(folder).concepts) == ["contrast"]
    assert GANPipeline.from_pretrained(tiny_model).concepts == {}
    for arguments, sentence in (
        ((tiny_rgb_model, "--find", "contrast", *FEW, "--out", tiny_model_copy), "holds another model than"),
        (
            ("dcgan-mnist", "--find", "contrast", *FEW),
            "dcgan-mnist is no folder that could be changed; give --out FOLDER",
        ),
        ((tiny_model_copy, "--find", "beauty", *FEW), "--find 'beauty' is not known; choose among brightness, "),
        ((tiny_model_copy, "--find", "warmth", *FEW), "these images are grey"),
        ((tiny_model_copy, "--find", "pca", *FEW), "pca needs a model with a w"),
        ((tiny_model_copy, "--name", "beauty=x"), "no concept is called 'beauty'; there are contrast"),
        ((tiny_model_copy, "--name", "contrast=a=b"), "concept name 'a=b' is not allowed"),
        ((tiny_model_copy, "--name", "contrast"), "'contrast' is not allowed; two names"),
        ((tiny_model_copy, "--find", "contrast", "--seeds", "0-99", "--held-out", "99"), "held-out seeds also find"),
    ):
        code, out, err = run("concepts", *arguments)
        assert (code, out) == (2, "") and sentence in err.replace("contrast …\n", ""), err
    assert list(GANPipeline.from_pretrained(tiny_model_copy).concepts) == ["contrast"]
    for wrong in ("contrast", "=1", "contrast=x", "contrast=nan"):
        assert run("sample", tiny_model_copy, "--seeds", 1, "--out", "y.png", "--concept", wrong)[0] == 2
    assert not Path("y.png").exists()


def test_the_seeds_of_concepts_and_the_names_of_scores_are_lists_too(run):
    read = cli.parser().parse_args
    given = read(["concepts", "m", "--seeds", "0-39", "50", "--held-out=60", "61-62", "--find", "slant width,pca"])
    assert (
        given.seeds == [*range(40), 50] and given.held_out == [60, 61, 62] and given.find == ["slant", "width", "pca"]
    )
    for text in ("fd,kid", "fd kid", "fd, kid", " fd  kid,"):
        assert read(["evaluate", "m", "--data", "d", "--metrics", text]).metrics == ["fd", "kid"]
    twice = read(["concepts", "m", "--drop", "sefa 1,sefa 2", "--drop", "sefa 3", "--name", "a b = c d"])
    assert twice.drop == ["sefa 1", "sefa 2", "sefa 3"] and twice.name == [("a b", "c d")]
