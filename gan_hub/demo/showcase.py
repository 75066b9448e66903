"""What the page calls its models, classes and concepts: names for people, in English and Portuguese, in the order of beauty.

A new bundled model is one entry of `EXHIBITS`, and a word for each of its classes and concepts that has none yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import gradio as gr
from starlette.requests import Request

from gan_hub.demo import guests
from gan_hub.demo.texts import language

LANGUAGES = ("en", "pt")
FIRST_TILES = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class Exhibit:
    """A model as the page shows it; pairs are English and Portuguese.

    Attributes:
        title: its name.
        line: what one sees, in a few words.
        is_art: whether it is worth a visit for its pictures; if not, it is a small demonstration of a method.
        tiles: its best pictures, by their places in samples.png.
    """

    title: tuple[str, str]
    line: tuple[str, str]
    is_art: bool = True
    tiles: tuple[int, ...] = FIRST_TILES


# The most beautiful first: the page opens on the first that is there.
EXHIBITS: dict[str, Exhibit] = {
    "r3gan-avatars-64": Exhibit(
        ("Faces, 64 px", "Rostos, 64 px"),
        ("Characters that no hand drew", "Personagens que ninguém desenhou"),
        tiles=(11, 27, 2, 36, 53, 9),
    ),
    "r3gan-cats-64": Exhibit(
        ("Cats, 64 px", "Gatos, 64 px"),
        ("Small photographs of cats that never lived", "Pequenas fotos de gatos que nunca existiram"),
        tiles=(9, 2, 51, 17, 44, 47),
    ),
    "fastgan-fruit-64": Exhibit(
        ("Fruit, 64 px", "Frutas, 64 px"),
        ("Twelve kinds of fruit, as botanists painted them", "Doze tipos de fruta, como os botânicos as pintavam"),
        tiles=(0, 1, 43, 32, 5, 35),
    ),
    "spade-facades": Exhibit(
        ("Façades, 64 px", "Fachadas, 64 px"),
        ("A map of walls and windows becomes a house", "Um mapa de paredes e janelas vira uma casa"),
        tiles=(2, 3, 22, 23, 38, 39),
    ),
    "dcgan-fashion-mnist": Exhibit(
        ("Clothes, 28 px", "Roupas, 28 px"),
        ("Ten kinds of clothes, hard to tell from real ones", "Dez tipos de roupa, difíceis de distinguir das reais"),
        tiles=(10, 13, 25, 18, 37, 9),
    ),
    "dcgan-mnist": Exhibit(
        ("Handwritten digits", "Dígitos à mão"),
        ("Any digit, in any hand", "Qualquer dígito, em qualquer letra"),
        tiles=(0, 12, 33, 45, 47, 8),
    ),
    "r3gan-cifar10-32": Exhibit(
        ("Ten things, 32 px", "Dez coisas, 32 px"),
        ("Cars, ships and animals at a glance", "Carros, navios e bichos num relance"),
        tiles=(8, 31, 27, 9, 7, 48),
    ),
    "r3gan-cats-32": Exhibit(
        ("Cats, 32 px", "Gatos, 32 px"),
        ("Cats like small oil paintings", "Gatos como pequenos quadros a óleo"),
        tiles=(0, 24, 5, 30, 40, 36),
    ),
    "r3gan-emoji-64": Exhibit(
        ("Emoji, 64 px", "Emojis, 64 px"),
        ("Some have a face, some are still looking for one", "Alguns têm rosto, outros ainda o procuram"),
        tiles=(15, 22, 2, 58, 50, 35),
    ),
    "stylegan2-cats-64": Exhibit(
        ("Cats by StyleGAN2", "Gatos por StyleGAN2"),
        ("The same cats by an older method", "Os mesmos gatos por um método mais antigo"),
        tiles=(4, 13, 21, 30, 40, 50),
    ),
    "stylegan2-avatars-32": Exhibit(
        ("Faces, 32 px", "Rostos, 32 px"),
        ("StyleGAN2, one CPU core, a direction for glasses", "StyleGAN2, um núcleo de CPU, uma direção para óculos"),
        is_art=False,
        tiles=(4, 15, 8, 26, 46, 53),
    ),
    "mlp-mnist": Exhibit(
        ("Digits as in 2014", "Dígitos como em 2014"),
        ("The first kind of GAN: no convolutions", "O primeiro tipo de GAN: sem convoluções"),
        is_art=False,
    ),
    "progan-fashion-mnist": Exhibit(
        ("Clothes by ProGAN", "Roupas por ProGAN"),
        ("Grown from 7 to 28 pixels while it learned", "Cresceu de 7 a 28 pixels enquanto aprendia"),
        is_art=False,
        tiles=(11, 12, 14, 28, 39),
    ),
    "stylegan-fashion-mnist": Exhibit(
        ("Clothes by StyleGAN", "Roupas por StyleGAN"),
        ("A style for every layer", "Um estilo para cada camada"),
        is_art=False,
        tiles=(20, 21, 24, 7, 9),
    ),
    "msg-gan-fashion-mnist": Exhibit(
        ("Clothes by MSG-GAN", "Roupas por MSG-GAN"),
        ("Judged at all sizes at once", "Julgadas em todos os tamanhos de uma vez"),
        is_art=False,
        tiles=(1, 14, 23, 27, 29),
    ),
    "r3gan-fashion-mnist": Exhibit(
        ("Clothes by R3GAN", "Roupas por R3GAN"),
        ("A loss that settles, seen too briefly", "Uma perda que converge, vista por pouco tempo"),
        is_art=False,
        tiles=(0, 14, 18, 27, 39),
    ),
}

# Of a model that a visitor has trained on the page.
OWN_TITLE = ("Yours, just born", "Recém-nascida")
OWN_LINE = ("For you and all who have the link, for a while", "Para você e quem tiver o link, por um tempo")

CLASSES_IN_PORTUGUESE = {
    "t-shirt": "camiseta",
    "trouser": "calça",
    "pullover": "suéter",
    "dress": "vestido",
    "coat": "casaco",
    "sandal": "sandália",
    "shirt": "camisa",
    "sneaker": "tênis",
    "bag": "bolsa",
    "ankle boot": "bota",
    "airplane": "avião",
    "automobile": "carro",
    "bird": "pássaro",
    "cat": "gato",
    "deer": "cervo",
    "dog": "cachorro",
    "frog": "sapo",
    "horse": "cavalo",
    "ship": "navio",
    "truck": "caminhão",
    "apple": "maçã",
    "avocado": "abacate",
    "grapefruit": "toranja",
    "lemon": "limão",
    "mango": "manga",
    "orange": "laranja",
    "other": "outra",
    "peach": "pêssego",
    "pear": "pera",
    "persimmon": "caqui",
    "plum": "ameixa",
    "strawberry": "morango",
} | {str(digit): str(digit) for digit in range(10)}

CONCEPTS_IN_PORTUGUESE = {
    "brightness": "claridade",
    "width": "largura",
    "thickness": "espessura",
    "slant": "inclinação",
    "background": "fundo",
    "ginger": "ruivo",
    "warmth": "calor",
    "yellow": "amarelo",
    "glasses": "óculos",
    "white blaze": "mancha branca no rosto",
    "white coat": "pelo branco",
}

# Concept → what less and more of it looks like, in English and Portuguese.
ENDS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "brightness": (("dark", "bright"), ("escuro", "claro")),
    "width": (("narrow", "wide"), ("estreito", "largo")),
    "thickness": (("thin", "thick"), ("fino", "grosso")),
    "slant": (("leaning left", "leaning right"), ("inclinado à esquerda", "inclinado à direita")),
    "background": (("dark ground", "bright ground"), ("fundo escuro", "fundo claro")),
    "ginger": (("grey", "ginger"), ("cinza", "ruivo")),
    "warmth": (("cold colours", "warm colours"), ("cores frias", "cores quentes")),
    "yellow": (("blue", "yellow"), ("azul", "amarelo")),
    "glasses": (("without glasses", "with glasses"), ("sem óculos", "com óculos")),
    "white blaze": (("plain face", "white blaze"), ("rosto liso", "mancha branca")),
    "white coat": (("dark coat", "white coat"), ("pelo escuro", "pelo branco")),
}

Visitor = gr.Request | Request | None


def in_order(names: Iterable[str]) -> list[str]:
    """Names of models as the page lists them: first those it does not know, for they were asked for; then by beauty."""
    places = {name: place for place, name in enumerate(EXHIBITS)}
    return sorted(names, key=lambda name: places.get(name, -1))


def is_art(name: str) -> bool:
    """Whether a model stands in the first row; those that the page does not know do."""
    return name not in EXHIBITS or EXHIBITS[name].is_art


def tiles(name: str) -> tuple[int, ...]:
    """The places in a model's samples.png of the pictures to show."""
    return EXHIBITS[name].tiles if name in EXHIBITS else FIRST_TILES


def model_title(name: str, request: Visitor = None) -> str:
    """A model's name for people; that of its folder where the page does not know it."""
    return titles(name)[language(request)]


def titles(name: str) -> dict[str, str]:
    """`model_title` by language."""
    unknown = OWN_TITLE if name.startswith(guests.PREFIX) else (name, name)
    return dict(zip(LANGUAGES, EXHIBITS[name].title if name in EXHIBITS else unknown, strict=True))


def lines(name: str) -> dict[str, str]:
    """What one sees of a model, by language; empty where the page does not know it."""
    unknown = OWN_LINE if name.startswith(guests.PREFIX) else ("", "")
    return dict(zip(LANGUAGES, EXHIBITS[name].line if name in EXHIBITS else unknown, strict=True))


def class_title(name: str, request: Visitor = None) -> str:
    """A class in the visitor's language, where a word for it is known."""
    return CLASSES_IN_PORTUGUESE.get(name, name) if language(request) == "pt" else name


def concept_title(name: str, request: Visitor = None) -> str:
    """A concept in the visitor's language, where a word for it is known."""
    return CONCEPTS_IN_PORTUGUESE.get(name, name) if language(request) == "pt" else name


def concept_ends(name: str, request: Visitor = None) -> tuple[str, str]:
    """What less and what more of a concept looks like; minus and plus where that is not known."""
    return ENDS[name][LANGUAGES.index(language(request))] if name in ENDS else ("−", "+")
