"""The words of the tab "Train one" in English and Portuguese."""

TEXTS = {
    "en": {
        "tab_train": "Train one",
        "train_intro": "Two networks that know nothing, 4,000 cartoon faces, and one core of this computer. At 32 pixels "
        "there are "
        "faces after some thirty seconds of computing and good ones after eighty (at 16 pixels in half the time); when "
        "others are here, it takes longer on the clock. Everything but size and seed can be changed meanwhile.",
        "train_side": "Faces of",
        "side_16": "16 pixels",
        "side_32": "32 pixels",
        "train_start": "Train",
        "train_empty": "Press “Train”, and watch what comes out of noise.",
        "train_begins": "It begins, or waits for another visitor's to end.",
        "train_goes_on": "Training. “Pause” ends it, “Train” goes on.",
        "train_done": "Done. “Train” goes on for as long again; below, play with what was born.",
        "train_gone": "This network is not there any more; press “Train” for another.",
        "train_alt": "{count} faces of the generator after {step} steps",
        "train_steps": "steps",
        "train_images": "images seen",
        "train_seconds": "seconds of computing",
        "train_curves": "Losses of the discriminator (solid) and the generator (dashed)",
        "train_first": "There is no network yet: press “Train” first.",
        "born_intro": "### What was born\nIt is yours alone, lives in this server's memory for as long as you are here and "
        "few others come. Here you can sample it, walk through it and play against it; the other tabs show what a link opens for "
        "everyone, and this one only you have. Taken home, it works in all of them: `gan-hub demo --model my-first-gan`.",
        "born_faces": "New faces",
        "born_animate": "Walk",
        "born_play": "Play against it",
        "born_pack": "Take it home",
        "born_seeds": "Seeds {first} to {last}",
        "born_walk": "A walk through {count} faces and back",
        "born_save": "↓ Save the model's folder (ZIP, {size} kB)",
        "born_packed": "Unpack it, and GANPipeline.from_pretrained loads the folder; the seeds give the same faces.",
        "born_left": "Left is real",
        "born_right": "Right is real",
        "born_question": "Round {number} of {all}: which one was not made by your network?",
        "born_correct": "Correct. {right} of {rounds}; “Play against it” shows the next pair.",
        "born_wrong": "Wrong: that one is your network's. {right} of {rounds}; “Play against it” shows the next pair.",
        "born_end": "It fooled you {fooled} times in {all}; 5 would be chance.",
        "born_no_pair": "This pair was judged already; press “Play against it” for the next one.",
    },
    "pt": {
        "tab_train": "Treinar uma",
        "train_intro": "Duas redes que não sabem nada, 4.000 rostos de desenho e um núcleo deste computador. Com 32 pixels há "
        "rostos "
        "depois de uns trinta segundos de cálculo, e bons depois de oitenta (com 16 pixels, na metade do tempo); com outros "
        "visitantes aqui, no relógio demora mais. Tudo menos tamanho e semente pode ser mudado durante o treino.",
        "train_side": "Rostos de",
        "side_16": "16 pixels",
        "side_32": "32 pixels",
        "train_start": "Treinar",
        "train_empty": "Clique em “Treinar” e veja o que sai do ruído.",
        "train_begins": "Está começando, ou esperando terminar o treino de outro visitante.",
        "train_goes_on": "Treinando. “Pausar” encerra, “Treinar” continua.",
        "train_done": "Pronto. “Treinar” continua por mais outro tanto; abaixo, brinque com o que nasceu.",
        "train_gone": "Esta rede não existe mais; clique em “Treinar” para ter outra.",
        "train_alt": "{count} rostos do gerador depois de {step} passos",
        "train_steps": "passos",
        "train_images": "imagens vistas",
        "train_seconds": "segundos de cálculo",
        "train_curves": "Perdas do discriminador (contínua) e do gerador (tracejada)",
        "train_first": "Ainda não há rede: clique antes em “Treinar”.",
        "born_intro": "### O que nasceu\nÉ só sua, vive na memória deste servidor enquanto você estiver aqui e poucos outros "
        "vierem. Aqui você pode gerar rostos, passear por ela e jogar contra ela; as outras abas mostram o que um link abre para "
        "qualquer pessoa, e esta só você tem. Em casa, ela funciona em todas: `gan-hub demo --model my-first-gan`.",
        "born_faces": "Novos rostos",
        "born_animate": "Passear",
        "born_play": "Jogar contra ela",
        "born_pack": "Levar para casa",
        "born_seeds": "Sementes {first} a {last}",
        "born_walk": "Um passeio por {count} rostos, ida e volta",
        "born_save": "↓ Salvar a pasta do modelo (ZIP, {size} kB)",
        "born_packed": "Descompacte, e GANPipeline.from_pretrained carrega a pasta; as sementes dão os mesmos rostos.",
        "born_left": "A da esquerda é real",
        "born_right": "A da direita é real",
        "born_question": "Rodada {number} de {all}: qual não foi feita pela sua rede?",
        "born_correct": "Certo. {right} de {rounds}; “Jogar contra ela” mostra o próximo par.",
        "born_wrong": "Errado: essa é da sua rede. {right} de {rounds}; “Jogar contra ela” mostra o próximo par.",
        "born_end": "Ela enganou você {fooled} vezes em {all}; 5 seria o acaso.",
        "born_no_pair": "Este par já foi julgado; clique em “Jogar contra ela” para o próximo.",
    },
}
