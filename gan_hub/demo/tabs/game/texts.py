"""The words of the tab "Real or fake?" in English and Portuguese."""

TEXTS = {
    "en": {
        "tab_game": "Real or fake?",
        "game_intro": "One of the two pictures is real, the generator invented the other. **Which one is real?** The "
        "discriminator judges the same pair, but you see its opinion only after yours.",
        "left": "← Left is real",
        "right": "Right is real →",
        "next": "Next round (N)",
        "reset": "Start over",
        "keys": "Keyboard: ← left, → right, N next round.",
        "which": "Which one is real?",
        "which_label": "Class {label}: which one is real?",
        "pair_alt": "two pictures side by side; one is real, one is generated",
        "is_real": "real",
        "is_fake": "generated",
        "side_left": "left",
        "side_right": "right",
        "you_right": "✓ Correct!",
        "you_wrong": "✗ Wrong.",
        "truth": "The {side} picture is the real one.",
        "judge_right": "The discriminator took the {side} one for real, {percent} sure: ✓ it was right.",
        "judge_wrong": "The discriminator took the {side} one for real, {percent} sure: ✗ it was wrong.",
        "judge_absent": "This model came without a discriminator; you play alone.",
        "judge_needs_map": "This model's discriminator judges a picture by the map it was drawn from, and real pictures come "
        "without one; you play alone.",
        "score_you": "You",
        "score_judge": "Discriminator",
        "score_rounds": "Rounds",
        "score_streak": "Your streak",
        "score_best": "Best streak",
        "history": "Last rounds",
        "no_real": "This model came without real pictures to compare with, so this game cannot be played with it.",
        "how_judged": "How sure is the discriminator, really?",
        "calibrated": "The discriminator gives each picture a raw score (a logit) on no fixed scale. `judge.json`, fitted "
        "on pictures it never trained on, turns the difference of two scores into a probability. On held-out "
        "pictures its **AUC is {auc:.3f}**: of a hundred pairs of a real and a generated picture it ranks "
        "about {percent} in the right order, where tossing a coin gives 50.",
        "uncalibrated": "The discriminator gives each picture a raw score (a logit) on no fixed scale. This model came "
        "without a `judge.json` that turns scores into probabilities, so take the percentage with a grain of "
        "salt.",
        "origin": "The real pictures: {notice}",
        "no_game": "There is no round to play; press Start over.",
        "answered": "This round is decided; go on to the next one.",
        "unanswered": "Choose left or right first.",
    },
    "pt": {
        "tab_game": "Real ou falsa?",
        "game_intro": "Uma das duas imagens é real, a outra foi inventada pelo gerador. **Qual é a real?** O discriminador "
        "julga o mesmo par, mas você só vê a opinião dele depois da sua.",
        "left": "← A esquerda é real",
        "right": "A direita é real →",
        "next": "Próxima rodada (N)",
        "reset": "Recomeçar",
        "keys": "Teclado: ← esquerda, → direita, N próxima rodada.",
        "which": "Qual é a real?",
        "which_label": "Classe {label}: qual é a real?",
        "pair_alt": "duas imagens lado a lado; uma é real, a outra foi gerada",
        "is_real": "real",
        "is_fake": "gerada",
        "side_left": "esquerda",
        "side_right": "direita",
        "you_right": "✓ Certo!",
        "you_wrong": "✗ Errado.",
        "truth": "A imagem da {side} é a real.",
        "judge_right": "O discriminador achou real a da {side}, com {percent} de certeza: ✓ acertou.",
        "judge_wrong": "O discriminador achou real a da {side}, com {percent} de certeza: ✗ errou.",
        "judge_absent": "Este modelo veio sem discriminador; você joga sozinho.",
        "judge_needs_map": "O discriminador deste modelo julga a imagem pelo mapa de que ela foi desenhada, e imagens reais vêm "
        "sem mapa; você joga sozinho.",
        "score_you": "Você",
        "score_judge": "Discriminador",
        "score_rounds": "Rodadas",
        "score_streak": "Sua sequência",
        "score_best": "Melhor sequência",
        "history": "Últimas rodadas",
        "no_real": "Este modelo veio sem imagens reais para comparar; por isso não dá para jogar com ele.",
        "how_judged": "Quanta certeza o discriminador tem mesmo?",
        "calibrated": "O discriminador dá a cada imagem uma nota bruta (um logit) sem escala fixa. O `judge.json`, "
        "ajustado em imagens fora do treino, transforma a diferença de duas notas em probabilidade. Em "
        "imagens separadas a **AUC é {auc:.3f}**: de cem pares de uma imagem real e uma gerada, ele põe "
        "cerca de {percent} na ordem certa; no cara ou coroa seriam 50.",
        "uncalibrated": "O discriminador dá a cada imagem uma nota bruta (um logit) sem escala fixa. Este modelo veio sem o "
        "`judge.json`, que transforma notas em probabilidades; desconfie da porcentagem.",
        "origin": "As imagens reais: {notice}",
        "no_game": "Não há rodada para jogar; clique em Recomeçar.",
        "answered": "Esta rodada já foi decidida; passe para a próxima.",
        "unanswered": "Escolha primeiro esquerda ou direita.",
    },
}
