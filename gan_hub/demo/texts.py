"""The words of the page in English and Portuguese: `t` for its components, `translate` for the server's answers."""

import gradio as gr
from gradio.i18n import I18nData
from starlette.requests import Request

TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "title": "# Play with a generative adversarial network",
        "lead": "Two rival networks: one invents pictures, the other tries to tell them from real ones.",
        "level_create": "Create",
        "level_learn": "Learn",
        "lacks_offer": "These do:",
        "lacks_none": "None of the models here does.",
        "no_models": "There is no model to show. Start the page with `gan-hub demo FOLDER_OR_HUB_ID` (in a checkout also "
        "`python app.py --model FOLDER_OR_HUB_ID`), or train a model with `gan-hub train RECIPE` first.",
        "model": "Model",
        "trained_on_cpu": "trained in {minutes} min of CPU",
        "trained_on_gpu": "trained in {minutes} min on {hardware}",
        "js_more_models": "Small demonstrations of a method",
        "js_close": "Close",
        "js_previous": "Previous picture",
        "js_next": "Next picture",
        "js_vary": "Variations of this one",
        "js_varying": "Drawing…",
        "js_send": "Send to",
        "js_to_interpolate": "Interpolate",
        "js_to_arithmetic": "Arithmetic {group}",
        "js_to_game": "The discriminator",
        "js_keep": "Keep on the shelf",
        "js_kept": "Kept",
        "js_download": "Download",
        "js_original": "original",
        "js_back_to_seed": "Back to the picture",
        "js_shelf": "Your shelf",
        "js_shelf_empty": "Pictures that you keep stand here, in this browser only.",
        "js_remove": "Take {caption} from the shelf",
        "js_open": "Show {caption} large",
        "js_revisit": "Where it was drawn",
        "js_pause": "Stop the moving pictures",
        "js_play": "Let the pictures move",
        "lesson": "Learn how this works",
        "about": "About this model: data, licence, limits",
        "no_card": "This model came without a card.",
        "licence_of_weights": "Licence of the weights:",
        "not_for_heading": "What it must not be used for",
        "not_for": "Not for showing, imitating or identifying real people, nor for deceiving anybody about what is real; not "
        "as evidence of anything; not for medical, forensic or other decisions about people; not as training or test data of "
        "a system, such as one that reads writing, whose mistakes could do harm. Its images are made up, and a label "
        "says what was asked for, not what is seen.",
        "no_limits": "Its card does not say what it must not be used for.",
        "whole_card": "The whole card",
        "share_text": "Made up by a generative adversarial network: seeds {seeds}. Draw pictures of your own, walk between "
        "them, and play against the network's own critic.",
        "opening": "The page is opening …",
        "waiting_1": "1 visitor before you",
        "waiting_n": "{count} visitors before you",
        "model_awaited": "Waiting for the model {name} from the Hub; the others are here meanwhile.",
        "model_arrived": "The model {name} has arrived: choose it here.",
        "model_missing": "The model {name} could not be had from the Hub; the server's log says why.",
        "decimal_point": ".",
        "facts": "{network}, {width} × {height} pixels, {color}, {classes}{parameters} million parameters in the "
        "generator",
        "grey": "grey",
        "color": "colour",
        "with_opacity": " with opacity",
        "n_classes": "{count} classes, ",
        "class": "Class",
        "truncation": "Truncation",
        "truncation_info": "1: full variety. Lower: more typical. 0: the average.",
        "own": "Each seed's own",
        "no_concept": "None",
        "pause": "Pause",
        "frame": "Frame",
        "concept": "Concept",
        "concept_info": "Moves every picture along a direction that was found in this model.",
        "strength": "Strength",
        "seeds": "Seeds",
        "check": "Please check",
        "bad_model": "This model is not offered here; choose one of {allowed}.",
        "bad_seeds": "Seeds are whole numbers from 0 to 4294967295, such as 0-15 or 3, 14, 15.",
        "bad_count": "{count} seeds are given; {least} to {most} are allowed here.",
        "bad_long": "The text is too long; at most {most} characters are allowed.",
        "bad_number": "{name} is a number from {least} to {most}.",
        "bad_whole": "{name} is a whole number from {least} to {most}.",
        "bad_label": "This model has no such class; choose one of {allowed}.",
        "bad_concept": "This model has no such concept; choose one of {allowed}.",
        "bad_choice": "{name} is one of {allowed}.",
        "bad_position": "That picture is not there any more; generate anew.",
        "bad_switch": "{name} is on or off.",
        "damaged": "This model is damaged or cannot be reached; the server's log says what is wrong.",
        "broken": "That did not work, and it is not your fault; the server's log says why.",
        "refused_value": "A value is not allowed here ({reason}).",
        "bad_value": "A value of this form is missing or of the wrong kind; reload the page to get the usual ones.",
        "bad_call": "This call does not have the form that the page understands; “Use via API” says what it is.",
        "bad_json": "What was sent is no plain JSON: one object, numbers of up to 64 bits, whole characters, not deeply nested.",
        "no_such_call": "The page has no such call; “Use via API” lists those it has.",
        "nothing_here": "Nothing can be sent here: this page takes no files, and its calls wait in one line.",
        "too_large": "That is too much at once; at most {most} bytes are read.",
        "too_many_calls": "You have many calls waiting already; please wait for some of them.",
        "line_is_full": "Very many people are here just now; please try again in a minute.",
        "job_stopped": "Ended. What is there stays.",
        "job_replaced": "Ended, because you began something else.",
        "job_too_long": "Ended after {seconds} seconds of computing, the most that one run may take here.",
        "unknown_session": "The server was started anew and does not know this window; please load the page again.",
    },
    "pt": {
        "title": "# Brinque com uma rede generativa adversária",
        "lead": "Duas redes rivais: uma inventa imagens, a outra tenta distingui-las das reais.",
        "level_create": "Criar",
        "level_learn": "Aprender",
        "lacks_offer": "Com estes dá:",
        "lacks_none": "Com nenhum dos modelos daqui dá.",
        "no_models": "Não há nenhum modelo para mostrar. Abra a página com `gan-hub demo PASTA_OU_ID_DO_HUB` (numa cópia "
        "do código também `python app.py --model PASTA_OU_ID_DO_HUB`) ou treine antes um modelo com `gan-hub "
        "train RECEITA`.",
        "model": "Modelo",
        "trained_on_cpu": "treinado em {minutes} min de CPU",
        "trained_on_gpu": "treinado em {minutes} min em {hardware}",
        "js_more_models": "Pequenas demonstrações de um método",
        "js_close": "Fechar",
        "js_previous": "Imagem anterior",
        "js_next": "Próxima imagem",
        "js_vary": "Variações desta",
        "js_varying": "Desenhando…",
        "js_send": "Enviar para",
        "js_to_interpolate": "Interpolar",
        "js_to_arithmetic": "Calcular {group}",
        "js_to_game": "Discriminador",
        "js_keep": "Guardar na estante",
        "js_kept": "Guardada",
        "js_download": "Baixar",
        "js_original": "tamanho real",
        "js_back_to_seed": "Voltar à imagem",
        "js_shelf": "Sua estante",
        "js_shelf_empty": "As imagens que você guardar ficam aqui, só neste navegador.",
        "js_remove": "Tirar {caption} da estante",
        "js_open": "Ver {caption} grande",
        "js_revisit": "Onde foi desenhada",
        "js_pause": "Parar as imagens",
        "js_play": "Mover as imagens",
        "lesson": "Aprenda como isto funciona",
        "about": "Sobre este modelo: dados, licença, limites",
        "no_card": "Este modelo veio sem ficha.",
        "licence_of_weights": "Licença dos pesos:",
        "not_for_heading": "Para que não deve ser usado",
        "not_for": "Não serve para mostrar, imitar ou identificar pessoas reais, nem para enganar alguém sobre o que é real; nem "
        "como prova de coisa alguma; nem para decisões médicas, periciais ou outras sobre pessoas; nem como dados de treino ou "
        "de teste de um sistema, como um que lê textos manuscritos, cujos erros possam prejudicar alguém. As imagens são "
        "inventadas, e um rótulo diz o que foi pedido, não o que se vê.",
        "no_limits": "A ficha não diz para que ele não deve ser usado.",
        "whole_card": "A ficha inteira, como foi escrita",
        "share_text": "Inventadas por uma rede generativa adversária: sementes {seeds}. Crie as suas imagens, passeie entre "
        "elas e jogue contra o crítico da própria rede.",
        "opening": "A página está abrindo …",
        "waiting_1": "1 visitante antes de você",
        "waiting_n": "{count} visitantes antes de você",
        "model_awaited": "Esperando o modelo {name}, que vem do Hub; os outros já estão aqui.",
        "model_arrived": "O modelo {name} chegou: escolha-o aqui.",
        "model_missing": "Não foi possível obter do Hub o modelo {name}; o motivo está no registro do servidor.",
        "decimal_point": ",",
        "facts": "{network}, {width} × {height} pixels, {color}, {classes}{parameters} milhões de parâmetros no "
        "gerador",
        "grey": "tons de cinza",
        "color": "cores",
        "with_opacity": " com opacidade",
        "n_classes": "{count} classes, ",
        "class": "Classe",
        "truncation": "Truncamento",
        "truncation_info": "1: toda a variedade. Menos: mais típico. 0: a média.",
        "own": "A própria de cada semente",
        "no_concept": "Nenhum",
        "pause": "Pausar",
        "frame": "Quadro",
        "concept": "Conceito",
        "concept_info": "Desloca todas as imagens ao longo de uma direção encontrada neste modelo.",
        "strength": "Intensidade",
        "seeds": "Sementes",
        "check": "Confira, por favor",
        "bad_model": "Este modelo não é oferecido aqui; escolha um destes: {allowed}.",
        "bad_seeds": "Sementes são números inteiros de 0 a 4294967295, como 0-15 ou 3, 14, 15.",
        "bad_count": "Foram dadas {count} sementes; aqui são permitidas de {least} a {most}.",
        "bad_long": "O texto é longo demais; são permitidos até {most} caracteres.",
        "bad_number": "{name} é um número de {least} a {most}.",
        "bad_whole": "{name} é um número inteiro de {least} a {most}.",
        "bad_label": "Este modelo não tem essa classe; escolha uma destas: {allowed}.",
        "bad_concept": "Este modelo não tem esse conceito; escolha um destes: {allowed}.",
        "bad_choice": "{name} é um destes: {allowed}.",
        "bad_position": "Essa imagem não está mais aí; gere de novo.",
        "bad_switch": "{name} fica ligado ou desligado.",
        "damaged": "Este modelo está danificado ou inacessível; o registro do servidor diz o que há de errado.",
        "broken": "Não deu certo, e a culpa não é sua; o motivo está no registro do servidor.",
        "refused_value": "Um valor não é permitido aqui ({reason}).",
        "bad_value": "Falta um valor do formulário, ou ele é do tipo errado; recarregue a página para voltar aos usuais.",
        "bad_call": "Esta chamada não tem a forma que a página entende; “Usar via API” diz qual é.",
        "bad_json": "O que foi enviado não é JSON simples: um objeto, números de até 64 bits, caracteres inteiros, "
        "sem muitos níveis.",
        "no_such_call": "A página não tem essa chamada; “Usar via API” lista as que tem.",
        "nothing_here": "Nada pode ser enviado aqui: a página não recebe arquivos, e suas chamadas esperam numa só fila.",
        "too_large": "É muita coisa de uma vez; são lidos até {most} bytes.",
        "too_many_calls": "Você já tem muitas chamadas na fila; espere por algumas delas.",
        "line_is_full": "Há gente demais aqui agora; tente de novo daqui a um minuto.",
        "job_stopped": "Encerrado. O que já existe fica.",
        "job_replaced": "Encerrado, porque você começou outra coisa.",
        "job_too_long": "Encerrado depois de {seconds} segundos de cálculo, o máximo de uma execução aqui.",
        "unknown_session": "O servidor foi reiniciado e não conhece esta janela; recarregue a página.",
    },
}

LANGUAGES = tuple(TEXTS)
LANGUAGE_TAGS = {"en": "en", "pt": "pt-BR"}  # as HTML names them
MARK = "~"  # before every key in the browser, which takes any value that is a key for the text: "own" is both

I18N = gr.I18n(**{chosen: {MARK + key: text for key, text in words.items()} for chosen, words in TEXTS.items()})


def add(texts: dict[str, dict[str, str]]) -> None:
    """Add the words of a part of the page. No key may be there already: all share one list."""
    for chosen, words in texts.items():
        known = TEXTS[chosen].keys() & words.keys()
        if known:
            raise ValueError(f"These texts are there already: {sorted(known)}.")
        TEXTS[chosen].update(words)
        I18N.translations[chosen].update({MARK + key: text for key, text in words.items()})


def t(key: str) -> I18nData:
    """The text of a component: the browser puts its own language in."""
    return I18N(MARK + key)


def language(request: gr.Request | Request | None) -> str:
    """pt or en: the one of the page's address (`lang`), else the visitor's first language, as the browser does."""
    of_address = request.query_params.get("lang") if request else None
    if of_address in LANGUAGES:
        return of_address
    first = (request.headers.get("accept-language") or "" if request else "").split(",")[0].strip().lower()
    return "pt" if first.split("-")[0].split(";")[0] == "pt" else "en"


def translate(request: gr.Request | Request | None, key: str, **values: object) -> str:
    """The text `key` with its `values` filled in, in the visitor's language (English without a request).

    For sentences that the server itself writes: the browser cannot translate Gradio's errors or texts with numbers in them.
    """
    return TEXTS[language(request)][key].format(**values)
