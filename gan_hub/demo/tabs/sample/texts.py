"""The words of the tab "Sample" in English and Portuguese."""

TEXTS = {
    "en": {
        "tab_sample": "Sample",
        "sample_intro": "A seed is a number that becomes a picture. The same seed gives the same picture, always.",
        "seeds_info": "For example 0-15 or 3, 14, 15; at most 64",
        "generate": "Generate",
        "reroll": "↻ New seeds",
        "gallery": "Click a picture to choose it for the large view and the download.",
        "download_one": "↓ This picture (PNG)",
        "download_all": "↓ All pictures (ZIP)",
        "link": "Link to exactly these pictures",
        "seed_n": "seed {seed}",
        "drawn_1": "1 picture",
        "drawn_n": "{count} pictures",
        "gone": "These files have expired; press Generate.",
    },
    "pt": {
        "tab_sample": "Sortear",
        "sample_intro": "Uma semente é um número que vira imagem. A mesma semente dá sempre a mesma imagem.",
        "seeds_info": "Por exemplo 0-15 ou 3, 14, 15; no máximo 64",
        "generate": "Gerar",
        "reroll": "↻ Novas sementes",
        "gallery": "Clique numa imagem para escolhê-la, vê-la grande e baixá-la.",
        "download_one": "↓ Esta imagem (PNG)",
        "download_all": "↓ Todas as imagens (ZIP)",
        "link": "Link para exatamente estas imagens",
        "seed_n": "semente {seed}",
        "drawn_1": "1 imagem",
        "drawn_n": "{count} imagens",
        "gone": "Estes arquivos expiraram; clique em Gerar.",
    },
}
