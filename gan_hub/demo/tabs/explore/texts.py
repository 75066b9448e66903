"""The words of the tab "Explore" in English and Portuguese."""

TEXTS = {
    "en": {
        "tab_explore": "Explore",
        "explore_intro": "Every point of the square is a picture. Drag over it, or use the arrow keys; where you stop, the "
        "picture is drawn exactly.",
        "corners": "Seeds of the corners",
        "corners_info": "Three: top left, top right, bottom left",
        "axes": "Directions of the square",
        "axes_seeds": "Between three pictures",
        "explore_own": "That of the first corner",
        "explore_place": "{across} % across, {down} % down",
        "js_plane": "Square of pictures",
        "js_place": "{across} % across, {down} % down",
        "js_corner": "Another picture in place of seed {seed}",
        "js_base": "Another picture",
        "js_large": "Large, keep, download",
        "js_drawing_exactly": "Drawing exactly…",
    },
    "pt": {
        "tab_explore": "Explorar",
        "explore_intro": "Cada ponto do quadrado é uma imagem. Arraste sobre ele ou use as setas; onde você para, a imagem é "
        "desenhada com exatidão.",
        "corners": "Sementes dos cantos",
        "corners_info": "Três: no alto à esquerda, no alto à direita, embaixo à esquerda",
        "axes": "Direções do quadrado",
        "axes_seeds": "Entre três imagens",
        "explore_own": "A do primeiro canto",
        "explore_place": "{across} % para a direita, {down} % para baixo",
        "js_plane": "Quadrado de imagens",
        "js_place": "{across} % para a direita, {down} % para baixo",
        "js_corner": "Outra imagem no lugar da semente {seed}",
        "js_base": "Outra imagem",
        "js_large": "Grande, guardar, baixar",
        "js_drawing_exactly": "Desenhando com exatidão…",
    },
}
