"""The words of the tab "Style" in English and Portuguese."""

TEXTS = {
    "en": {
        "tab_style": "Style",
        "style_intro": "No generator here: the pixels themselves are changed until a network that knows photographs finds the "
        "content of one picture and the textures of another in them (Gatys et al. 2016).",
        "style_content": "Content",
        "style_style": "Style",
        "style_own": "Your own",
        "style_weight": "How much style",
        "style_little": "a little",
        "style_some": "some",
        "style_much": "much",
        "style_start": "Paint it",
        "style_stop": "Stop",
        "style_result": "The content in that style, step {step} of {steps}",
        "style_step": "Step {step} of {steps}: content {content} % off, style {style} % off.",
        "style_done": "Done, in {steps} steps: content {content} % off, style {style} % off. Pictures with clear shapes come out "
        "best.",
        "style_empty": "Choose a content and a style, and press “Paint it”. It takes some seconds.",
        "style_thin": "Choose a content and a style first.",
        "style_download": "↓ Picture (PNG)",
        "style_waves": "waves",
        "style_strokes": "strokes",
        "style_mosaic": "mosaic",
        "style_stripes": "ink",
    },
    "pt": {
        "tab_style": "Estilo",
        "style_intro": "Aqui não há gerador: mudam-se os próprios pixels até que uma rede que conhece fotografias encontre "
        "neles o conteúdo de uma imagem e as texturas de outra (Gatys et al. 2016).",
        "style_content": "Conteúdo",
        "style_style": "Estilo",
        "style_own": "Sua própria",
        "style_weight": "Quanto estilo",
        "style_little": "um pouco",
        "style_some": "médio",
        "style_much": "muito",
        "style_start": "Pintar",
        "style_stop": "Parar",
        "style_result": "O conteúdo nesse estilo, passo {step} de {steps}",
        "style_step": "Passo {step} de {steps}: conteúdo a {content} %, estilo a {style} % de distância.",
        "style_done": "Pronto, em {steps} passos: conteúdo a {content} %, estilo a {style} % de distância. Imagens de formas "
        "claras dão os melhores resultados.",
        "style_empty": "Escolha um conteúdo e um estilo e clique em “Pintar”. Leva alguns segundos.",
        "style_thin": "Escolha antes um conteúdo e um estilo.",
        "style_download": "↓ Imagem (PNG)",
        "style_waves": "ondas",
        "style_strokes": "pinceladas",
        "style_mosaic": "mosaico",
        "style_stripes": "nanquim",
    },
}
