"""The words of the tab "Two dimensions" in English and Portuguese."""

TEXTS = {
    "en": {
        "tab_plane": "Two dimensions",
        "plane_intro": "The same game with points instead of pictures, so that nothing is hidden: **○ real** points, **●** "
        "those of "
        "the generator, and in colour what the discriminator says of every place. Everything can be changed while it runs.",
        "plane_runs": "Running. Change what you like; “Pause” ends it.",
        "plane_data": "Data",
        "data_ring": "Ring",
        "data_grid": "Grid",
        "data_spiral": "Spiral",
        "data_moons": "Two moons",
        "make_collapse": "Make it collapse",
        "make_imbalance": "Unbalance it",
        "make_cure": "Cure it",
        "preset_collapse": "The generator learns ten times as fast as the discriminator and rushes to the one place that looks "
        "most real just now; by the time the discriminator objects, it is in the next. Remedy: equal rates, R1, and the average.",
        "preset_imbalance": "After some five hundred steps the discriminator is certain of every fake, and the minimax loss is "
        "flat there: the generator's gradient vanishes, and it stays far from the data. Remedy: the non-saturating loss, and R1.",
        "preset_cure": "The non-saturating loss pulls where the discriminator is certain, R1 keeps its slopes gentle, equal "
        "rates "
        "let both keep up, and the average of the generator's weights calms what still swings.",
        "plane_field": "The discriminator: blue takes for real, orange for fake",
        "plane_best": "The best possible one against these points",
        "plane_curves": "Losses: discriminator (solid), generator (dashed)",
        "plane_steps": "steps",
        "plane_modes": "modes hit",
        "plane_good": "of the points could be real",
        "plane_of": "{count} of {all}",
        "best_non_saturating": "Best is p / (p + q): p, the density of the data, is known; q, the generator's, is estimated from "
        "2,000 of its points. Both are blurred by 0.06, and places with neither count as undecided. Penalties are left out.",
        "best_minimax": "Best is p / (p + q): p, the density of the data, is known; q, the generator's, is estimated from "
        "2,000 of "
        "its points. Both are blurred by 0.06, and places with neither count as undecided. Penalties are left out.",
        "best_least_squares": "Best is p / (p + q), as for the log losses: p is known, q estimated from 2,000 points, both "
        "blurred "
        "by 0.06.",
        "best_relativistic": "Best is p / (p + q), up to a constant: p is known, q estimated from 2,000 points, both blurred by "
        "0.06.",
        "best_hinge": "The hinge asks for a decision: best is real wherever p > q, fake elsewhere. p is known, q estimated from "
        "2,000 points, both blurred by 0.06.",
        "best_wasserstein": "The best critic of slope 1 has no formula here. On the left its own scale: the means of both sides "
        "are as far apart in colour.",
    },
    "pt": {
        "tab_plane": "Duas dimensões",
        "plane_intro": "O mesmo jogo com pontos em vez de imagens, para que nada fique escondido: pontos **○ reais**, **●** "
        "os do "
        "gerador e, em cores, o que o discriminador diz de cada lugar. Tudo pode ser mudado enquanto roda.",
        "plane_runs": "Rodando. Mude o que quiser; “Pausar” encerra.",
        "plane_data": "Dados",
        "data_ring": "Anel",
        "data_grid": "Grade",
        "data_spiral": "Espiral",
        "data_moons": "Duas luas",
        "make_collapse": "Fazer colapsar",
        "make_imbalance": "Desequilibrar",
        "make_cure": "Curar",
        "preset_collapse": "O gerador aprende dez vezes mais rápido que o discriminador e corre para o lugar que agora parece "
        "mais real; quando o discriminador reclama, já está no próximo. Remédio: taxas iguais, R1 e a média.",
        "preset_imbalance": "Depois de uns quinhentos passos o discriminador tem certeza de cada falso, e ali a perda minimax é "
        "plana: o gradiente do gerador some, e ele fica longe dos dados. Remédio: a perda não saturante e o R1.",
        "preset_cure": "A perda não saturante puxa onde o discriminador tem certeza, o R1 mantém as inclinações suaves, taxas "
        "iguais deixam os dois se acompanharem, e a média dos pesos do gerador acalma o que ainda oscila.",
        "plane_field": "O discriminador: azul é real, laranja é falso",
        "plane_best": "O melhor possível contra estes pontos",
        "plane_curves": "Perdas: discriminador (contínua), gerador (tracejada)",
        "plane_steps": "passos",
        "plane_modes": "modos atingidos",
        "plane_good": "dos pontos poderiam ser reais",
        "plane_of": "{count} de {all}",
        "best_non_saturating": "O melhor é p / (p + q): p, a densidade dos dados, é conhecida; q, a do gerador, é estimada com "
        "2.000 de seus pontos. As duas são borradas em 0,06, e lugares sem nenhuma contam como indecisos. Penalidades ficam "
        "de fora.",
        "best_minimax": "O melhor é p / (p + q): p, a densidade dos dados, é conhecida; q, a do gerador, é estimada com 2.000 de "
        "seus pontos. As duas são borradas em 0,06, e lugares sem nenhuma contam como indecisos. Penalidades ficam de fora.",
        "best_least_squares": "O melhor é p / (p + q), como nas perdas logarítmicas: p é conhecida, q estimada com 2.000 pontos, "
        "as duas borradas em 0,06.",
        "best_relativistic": "O melhor é p / (p + q), a menos de uma constante: p é conhecida, q estimada com 2.000 pontos, as "
        "duas borradas em 0,06.",
        "best_hinge": "A perda hinge pede uma decisão: o melhor diz real onde p > q e falso no resto. p é conhecida, q estimada "
        "com 2.000 pontos, as duas borradas em 0,06.",
        "best_wasserstein": "O melhor crítico de inclinação 1 não tem fórmula aqui. À esquerda, a escala é a dele: as médias dos "
        "dois lados ficam igualmente distantes na cor.",
    },
}
