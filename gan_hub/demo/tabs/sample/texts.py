"""The words of the tab "Sample" in English and Portuguese."""

TEXTS = {
    "en": {
        "tab_sample": "Sample",
        "sample_intro": "A seed is a number that becomes a picture. Click a picture to see it large, vary it and send it on.",
        "seeds_info": "For example 0-15 or 3, 14, 15; at most 64",
        "generate": "Generate",
        "reroll": "↻ New seeds",
        "count": "How many",
        "concepts": "Concepts",
        "pictures": "Pictures",
        "download_all": "↓ All pictures (ZIP)",
        "seed_n": "seed {seed}",
        "variation_n": "variation {number} of seed {seed}",
        "drawn_1": "1 picture",
        "drawn_n": "{count} pictures",
    },
    "pt": {
        "tab_sample": "Sortear",
        "sample_intro": "Uma semente é um número que vira imagem. Clique numa imagem para vê-la grande, variá-la e enviá-la.",
        "seeds_info": "Por exemplo 0-15 ou 3, 14, 15; no máximo 64",
        "generate": "Gerar",
        "reroll": "↻ Novas sementes",
        "count": "Quantas",
        "concepts": "Conceitos",
        "pictures": "Imagens",
        "download_all": "↓ Todas as imagens (ZIP)",
        "seed_n": "semente {seed}",
        "variation_n": "variação {number} da semente {seed}",
        "drawn_1": "1 imagem",
        "drawn_n": "{count} imagens",
    },
}
