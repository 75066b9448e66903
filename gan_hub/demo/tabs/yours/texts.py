"""The words of the tab "Your image" in English and Portuguese."""

TEXTS = {
    "en": {
        "tab_yours": "Your image",
        "lacks_yours": "This model draws from maps: it has no latent that would be a picture by itself.",
        "yours_intro": "Every picture of a generator is a point in its space. Give it a picture, and watch it look for the "
        "point that comes nearest. It can only find what it can draw: a dog becomes the most dog-like cat that a model of cats "
        "knows.",
        "yours_find": "Find it",
        "yours_cancel": "Stop",
        "yours_seed": "Or one of the model's own: seed",
        "yours_seed_info": "Its point exists, so the search comes near.",
        "yours_find_seed": "Find this seed's picture",
        "yours_target": "looked for",
        "yours_found": "found",
        "yours_changed": "changed",
        "yours_empty": "Choose a picture and press “Find it”, or let the model look for one of its own.",
        "yours_step": "Step {step} of {steps}: off by {levels} of 255 levels on average.",
        "yours_twin": "Found: off by {levels} of 255 levels on average. You would hardly tell them apart.",
        "yours_sibling": "Found: off by {levels} of 255 levels on average. The same picture, drawn by another hand.",
        "yours_cousin": "As near as it comes: off by {levels} of 255 levels on average. Shape and colours are there, details "
        "are not.",
        "yours_stranger": "As near as it comes: off by {levels} of 255 levels on average. This is nothing that the model can "
        "draw.",
        "yours_change": "Change what was found",
        "yours_walk": "Walk to another picture",
        "yours_walk_info": "0: what was found. 1: the picture of the seed.",
        "yours_walk_seed": "Seed to walk to",
        "yours_first": "Find a picture first; then it can be changed.",
        "yours_moved": "{share} of the way to seed {seed}",
        "yours_download": "↓ Picture (PNG)",
    },
    "pt": {
        "tab_yours": "Sua imagem",
        "lacks_yours": "Este modelo desenha a partir de mapas: nele não há latente que seja por si só uma imagem.",
        "yours_intro": "Toda imagem de um gerador é um ponto no espaço dele. Dê-lhe uma imagem e veja-o procurar o ponto que "
        "chega mais perto. Ele só encontra o que sabe desenhar: um cachorro vira o gato mais parecido com um cachorro que um "
        "modelo de gatos conhece.",
        "yours_find": "Procurar",
        "yours_cancel": "Parar",
        "yours_seed": "Ou uma do próprio modelo: semente",
        "yours_seed_info": "O ponto dela existe, por isso a busca chega perto.",
        "yours_find_seed": "Procurar a imagem desta semente",
        "yours_target": "procurada",
        "yours_found": "encontrada",
        "yours_changed": "mudada",
        "yours_empty": "Escolha uma imagem e clique em “Procurar”, ou deixe o modelo procurar uma das dele.",
        "yours_step": "Passo {step} de {steps}: diferença média de {levels} de 255 níveis.",
        "yours_twin": "Encontrada: diferença média de {levels} de 255 níveis. Mal se distinguem.",
        "yours_sibling": "Encontrada: diferença média de {levels} de 255 níveis. A mesma imagem, desenhada por outra mão.",
        "yours_cousin": "O mais perto possível: diferença média de {levels} de 255 níveis. Forma e cores estão aí, os detalhes "
        "não.",
        "yours_stranger": "O mais perto possível: diferença média de {levels} de 255 níveis. Isto o modelo não sabe desenhar.",
        "yours_change": "Mude o que foi encontrado",
        "yours_walk": "Caminhe até outra imagem",
        "yours_walk_info": "0: o que foi encontrado. 1: a imagem da semente.",
        "yours_walk_seed": "Semente de destino",
        "yours_first": "Encontre antes uma imagem; depois dá para mudá-la.",
        "yours_moved": "{share} do caminho até a semente {seed}",
        "yours_download": "↓ Imagem (PNG)",
    },
}
