# %% [markdown] lang="en"
# # 5. Architectures
#
# *DCGAN, progressive growing, several scales at once, StyleGAN, StyleGAN2, R3GAN, SPADE: what each changed, and why.*
#
# The game stayed the same for ten years. What changed are the players. Each of the seven networks of this lesson answers one
# complaint about the one before, so read them as a conversation. All of them come ready from the zoo, and we look inside.

# %% [markdown] lang="pt"
# # 5. Arquiteturas
#
# *DCGAN, crescimento progressivo, várias escalas de uma vez, StyleGAN, StyleGAN2, R3GAN, SPADE: o que cada uma mudou, e por quê.*
#
# O jogo ficou o mesmo por dez anos. O que mudou foram os jogadores. Cada uma das sete redes desta aula responde a uma queixa
# contra a anterior; leia-as como uma conversa. Todas vêm prontas do zoológico, e vamos olhar dentro delas.

# %%
import matplotlib.pyplot as plt
import torch

from gan_hub import GANPipeline
from gan_hub.images import grid, to_pil

torch.manual_seed(0)


def load(name):
    pipe = GANPipeline.from_pretrained(name)
    parameters = [
        sum(weight.numel() for weight in net.parameters()) / 1e6 for net in (pipe.generator, pipe.discriminator)
    ]
    print(f"{name}: {parameters[0]:.2f} and {parameters[1]:.2f} million parameters")
    return pipe


def show(images, columns=8):
    sheet = grid(list(images), columns)
    plt.figure(figsize=(7, 7 * sheet.height / sheet.width), dpi=56)
    plt.imshow(sheet, cmap="gray", interpolation="nearest")
    plt.axis("off")
    plt.show()


def maps_of(network, *inputs):
    """What comes out of each layer that convolves, in order: (name of the layer, its output)."""
    seen, hooks = [], []
    for name, module in network.named_modules():
        if "conv" in type(module).__name__.lower():
            hooks.append(module.register_forward_hook(lambda _, __, out, name=name: seen.append((name, out))))
    with torch.no_grad():
        network(*inputs)
    for hook in hooks:
        hook.remove()
    return seen


# %% [markdown] lang="en"
# ## DCGAN: a ladder of convolutions (Radford et al. 2016)
#
# **The complaint:** the first generators were perceptrons, one number at a time for every pixel, and knew nothing of neighbours.
#
# **The answer:** begin with a tiny stack of maps and double its sides, again and again, with transposed convolutions; normalise every
# layer; no pooling. The discriminator is the same ladder downwards. Watch one garment being built:

# %% [markdown] lang="pt"
# ## DCGAN: uma escada de convoluções (Radford et al. 2016)
#
# **A queixa:** os primeiros geradores eram perceptrons, um número de cada vez para cada pixel, e não sabiam nada de vizinhança.
#
# **A resposta:** comece com uma pequena pilha de mapas e dobre os lados, de novo e de novo, com convoluções transpostas; normalize
# cada camada; nada de *pooling*. O discriminador é a mesma escada para baixo. Veja uma peça de roupa ser construída:

# %%
dcgan = load("dcgan-fashion-mnist")
shoes = torch.tensor([9])
z = dcgan.sample_latents([6])
stages = maps_of(dcgan.generator, z, shoes)
stages[-1] = ("tanh", stages[-1][1].tanh())  # the last layer's map, brought to [-1, 1], is the picture
figure, axes = plt.subplots(len(stages), 8, figsize=(7, len(stages)), dpi=72, squeeze=False)
for row, (name, maps) in zip(axes, stages):
    for axis, one in zip(row, maps[0]):
        axis.imshow(one, cmap="gray")
    for axis in row:
        axis.axis("off")
    print(f"{name:12} {tuple(maps.shape[1:])}")
plt.show()
show(dcgan(seeds=range(16), labels="ankle boot").images)

# %% [markdown] lang="en"
# Many small, vague maps become one large, exact picture. Each row shows the first maps of a layer (the last one is the picture).
#
# ## Progressive growing (Karras et al. 2018)
#
# **The complaint:** at 1,024 pixels this ladder does not train. The discriminator tells real from fake by some detail, long before the
# generator knows what a face is.
#
# **The answer:** begin the *training* small. First 4 × 4 pixels only; when that works, fade the next step of the ladder in, slowly.
# The `level` of our network is that fader. Here one and the same network, at levels between the first and the last:

# %% [markdown] lang="pt"
# Muitos mapas, pequenos e vagos, viram uma imagem, grande e exata. Cada linha mostra os primeiros mapas de uma camada (a última é a imagem).
#
# ## Crescimento progressivo (Karras et al. 2018)
#
# **A queixa:** com 1.024 pixels essa escada não treina. O discriminador distingue real de falsa por algum detalhe, muito antes de o
# gerador saber o que é um rosto.
#
# **A resposta:** comece o *treino* pequeno. Primeiro só 4 × 4 pixels; quando isso funciona, faça o próximo degrau entrar aos poucos.
# O `level` da nossa rede é esse botão. Aqui uma única rede, em níveis do primeiro ao último:

# %%
progan = load("progan-fashion-mnist")
generator = progan.generator
levels = torch.linspace(0, generator.levels, 8)
pictures = []
for seed, label in ((1, 0), (3, 9)):
    for level in levels:
        generator.set_level(level.item())
        with torch.no_grad():
            pictures += to_pil(generator(progan.sample_latents([seed]), torch.tensor([label])))
generator.set_level(generator.levels)
show(pictures)
print("levels:", [round(level, 1) for level in levels.tolist()])

# %% [markdown] lang="en"
# ## MSG-GAN: all scales at once (Karnewar and Wang 2020)
#
# **The complaint:** growing has a timetable, and timetables have to be tuned.
#
# **The answer:** let every step of the ladder put out a picture, and let the discriminator look at all of them at the same time. Its
# gradient then reaches every depth of the generator directly. One latent, all outputs:

# %% [markdown] lang="pt"
# ## MSG-GAN: todas as escalas de uma vez (Karnewar e Wang 2020)
#
# **A queixa:** crescer tem um calendário, e calendários precisam de ajuste.
#
# **A resposta:** cada degrau da escada entrega uma imagem, e o discriminador olha todas ao mesmo tempo. Assim o gradiente dele chega
# direto a cada profundidade do gerador. Um latente, todas as saídas:

# %%
msg = load("msg-gan-fashion-mnist")
with torch.no_grad():
    scales = msg.generator(msg.sample_latents([1, 2, 3]), torch.tensor([0, 1, 9]), scales=True)
print([tuple(images.shape) for images in scales])
show(
    [
        image.resize((28, 28), 0)
        for number in range(3)
        for images in scales
        for image in to_pil(images[number : number + 1])
    ],
    len(scales),
)

# %% [markdown] lang="en"
# ## StyleGAN: not at the bottom, but everywhere (Karras et al. 2019)
#
# **The complaint:** the latent enters at the bottom, and every layer has to pass on what the upper ones need. Nobody can change the
# hair without moving the head.
#
# **The answer:** the ladder starts from a *constant*. The latent first becomes a $w$, and $w$ sets the strength of the maps in every
# layer, its *style*. What is chance and not character (the place of a single hair) comes as noise, fresh for each pixel. So $w$
# alone decides the picture; here the same $w$ with other noise, and where they differ:

# %% [markdown] lang="pt"
# ## StyleGAN: não embaixo, mas em toda parte (Karras et al. 2019)
#
# **A queixa:** o latente entra embaixo, e cada camada tem que passar adiante aquilo de que as de cima precisam. Ninguém consegue mudar o
# cabelo sem mexer a cabeça.
#
# **A resposta:** a escada parte de uma *constante*. O latente primeiro vira um $w$, e $w$ regula a força dos mapas em cada camada, o
# seu *estilo*. O que é acaso e não caráter (o lugar de um fio de cabelo) vem como ruído, novo para cada pixel. Assim só o $w$
# decide a imagem; aqui o mesmo $w$ com outro ruído, e onde diferem:

# %%
style = load("stylegan-fashion-mnist")
w = style.map(style.sample_latents([3]), labels="ankle boot")
with torch.no_grad():
    noisy = torch.cat([style.generator.synthesize(w, noise="random") for _ in range(64)])
show(to_pil(noisy[:7]) + to_pil(noisy.std(0, keepdim=True) / noisy.std(0).max() * 2 - 1))
print("same w, other noise: mean difference", f"{(noisy[0] - noisy[1]).abs().mean() / 2:.1%}")

# %% [markdown] lang="en"
# The last square is bright where the noise decides: along the edges and in the texture, not in the form.
#
# ## StyleGAN2: the droplet (Karras et al. 2020)
#
# **The complaint:** in nearly all pictures of StyleGAN a blurred droplet floats, since its normalisation lets a single spike carry
# information past it. And growing glues eyes and teeth to the pixel grid.
#
# **The answer:** put the style into the *weights* of the convolution and divide by what it does to the variance, without looking at the
# maps; leave out growing, and add up the pictures of all steps instead. And punish the generator where a small step in $w$ makes
# a large step in the picture (*path length*). Here the pictures of the steps of one cat, and their sum:

# %% [markdown] lang="pt"
# ## StyleGAN2: a gota (Karras et al. 2020)
#
# **A queixa:** em quase todas as imagens da StyleGAN flutua uma gota borrada, pois a normalização dela deixa que um único pico leve
# informação para além dela. E o crescimento cola olhos e dentes na grade de pixels.
#
# **A resposta:** ponha o estilo nos *pesos* da convolução e divida pelo que ele faz à variância, sem olhar os mapas; deixe o crescimento
# de lado, e em vez disso some as imagens de todos os degraus. E castigue o gerador onde um passo pequeno em $w$ dá um passo grande na
# imagem (*path length*). Aqui as imagens dos degraus de um gato, e a soma:

# %%
style2 = load("stylegan2-cats-64")
steps = []
hooks = [
    module.register_forward_hook(lambda _, __, out: steps.append(out))
    for module in style2.generator.modules()
    if type(module).__name__ == "ToRGB"
]
style2(seeds=[8])
for hook in hooks:
    hook.remove()
print("sides of the pictures that are added:", [step.shape[-1] for step in steps])
pictures = [image.resize((64, 64), 0) for step in steps for image in to_pil(step.clamp(-1, 1))]
show([*pictures, style2(seeds=[8]).images[0]], len(pictures) + 1)

# %% [markdown] lang="en"
# The small steps only tint the ground; in a network as small as this one, nearly all of the cat comes from the last.
#
# ## R3GAN: what is left if one leaves things out (Huang et al. 2024)
#
# **The complaint:** by now a GAN is a heap of tricks: noise, mixing, path length, mini-batch deviation, special normalisations. Which
# of them are needed?
#
# **The answer:** none, if the *game* is right. A loss that compares a real with a fake (lesson 2), two gradient penalties that let it
# converge, and the plain blocks of any modern image network: 1 × 1, grouped 3 × 3, 1 × 1, and a shortcut. No normalisation at all.

# %% [markdown] lang="pt"
# Os degraus pequenos só dão o tom do fundo; numa rede pequena como esta, quase todo o gato vem do último.
#
# ## R3GAN: o que sobra quando se deixam coisas de fora (Huang et al. 2024)
#
# **A queixa:** a essa altura uma GAN é um monte de truques: ruído, mistura, *path length*, desvio do lote, normalizações especiais.
# Quais deles são necessários?
#
# **A resposta:** nenhum, se o *jogo* estiver certo. Uma perda que compara uma real com uma falsa (aula 2), duas penalidades de gradiente
# que a deixam convergir, e os blocos simples de qualquer rede moderna de imagens: 1 × 1, 3 × 3 em grupos, 1 × 1, e um atalho.
# Normalização, nenhuma.

# %%
r3gan = load("r3gan-cats-64")
kinds = {}
for module in r3gan.generator.modules():
    kinds[type(module).__name__] = kinds.get(type(module).__name__, 0) + 1
print(kinds)
show(r3gan(seeds=range(16)).images)

# %% [markdown] lang="en"
# ## SPADE: painting by map (Park et al. 2019)
#
# **The complaint:** all these networks decide themselves *what* they draw. An artist wants to say: here a window, there a door.
#
# **The answer:** the style comes from a map, and differs from place to place: after each normalisation the map says, pixel by pixel, how
# strong and how bright (GauGAN's demo, with landscapes). One map, three latents; then the same latent, four maps:

# %% [markdown] lang="pt"
# ## SPADE: pintar por mapa (Park et al. 2019)
#
# **A queixa:** todas essas redes decidem elas mesmas *o que* desenhar. Um artista quer dizer: aqui uma janela, ali uma porta.
#
# **A resposta:** o estilo vem de um mapa, e muda de lugar para lugar: depois de cada normalização o mapa diz, pixel a pixel, com que
# força e com que brilho (a demonstração da GauGAN, com paisagens). Um mapa, três latentes; depois o mesmo latente, quatro mapas:

# %%
spade = load("spade-facades")
drawn = spade(seeds=range(8), output_type="pt")
one_map = spade(latents=drawn.latents[:4], segmentation=drawn.segmentations[0]).images
same_z = spade(latents=drawn.latents[:1].expand(4, -1), segmentation=drawn.segmentations[:4]).images
colors = torch.tensor(plt.get_cmap("tab20").colors) * 2 - 1
maps = to_pil(colors[drawn.segmentations[:4].long() % 20].permute(0, 3, 1, 2).float())
show([maps[0], *one_map[:3], *maps, *same_z], 4)

# %% [markdown] lang="en"
# First row: a map and three façades from it. Below, four maps, and four façades of one latent.
#
# **On the page.** Say `gan-hub demo` in a terminal. In the tab *Sample*, compare
# [StyleGAN2's cats](http://127.0.0.1:7860/?tab=sample&model=stylegan2-cats-64&seeds=0-15) with
# [R3GAN's](http://127.0.0.1:7860/?tab=sample&model=r3gan-cats-64&seeds=0-15); in *Paint*, [draw a house](http://127.0.0.1:7860/?tab=paint&model=spade-facades&seed=1) for SPADE.
#
# ## Exercises
#
# 1. Give `maps_of` the generator of `progan-fashion-mnist`, with one of its latents and a class. Where do the maps get larger, and how
#    many convolutions work at each size, compared with DCGAN?
# 2. In StyleGAN2, draw a cat without noise: its $w$ by `style2.map`, then `style2.generator.synthesize(w, noise="none")`. What is
#    missing?
# 3. Give one latent all ten classes: `pipe(latents=z.expand(10, -1), labels=range(10))`, with each of the four models of garments. What
#    do the ten have in common, besides the latent?
#
# **A question.** Which of these generators does the most work for each of its parameters? Guess: the perceptron of 2014, the DCGAN, or
# StyleGAN2? The next cell counts the multiplications of one picture.

# %% [markdown] lang="pt"
# Primeira fileira: um mapa e três fachadas dele. Embaixo, quatro mapas, e quatro fachadas de um único latente.
#
# **Na página.** Digite `gan-hub demo` num terminal. Na aba *Sortear*, compare
# [os gatos da StyleGAN2](http://127.0.0.1:7860/?tab=sample&model=stylegan2-cats-64&seeds=0-15) com
# [os da R3GAN](http://127.0.0.1:7860/?tab=sample&model=r3gan-cats-64&seeds=0-15); em *Pintar*, [desenhe uma casa](http://127.0.0.1:7860/?tab=paint&model=spade-facades&seed=1) para a
# SPADE.
#
# ## Exercícios
#
# 1. Dê a `maps_of` o gerador de `progan-fashion-mnist`, com um latente dele e uma classe. Onde os mapas crescem, e quantas convoluções
#    trabalham em cada tamanho, em comparação com a DCGAN?
# 2. Na StyleGAN2, desenhe um gato sem ruído: o $w$ dele por `style2.map`, depois `style2.generator.synthesize(w, noise="none")`. O que
#    falta?
# 3. Dê a um só latente as dez classes: `pipe(latents=z.expand(10, -1), labels=range(10))`, com cada um dos quatro modelos de roupas. O
#    que as dez têm em comum, além do latente?
#
# **Uma pergunta.** Qual desses geradores trabalha mais por parâmetro? Dê um palpite: o perceptron de 2014, a DCGAN ou a StyleGAN2? A
# próxima célula conta as multiplicações de uma imagem.

# %%
from torch.utils.flop_counter import FlopCounterMode

for name in ("mlp-mnist", "dcgan-fashion-mnist", "stylegan2-cats-64"):
    pipe = GANPipeline.from_pretrained(name, discriminator=None)
    with FlopCounterMode(display=False) as counter:
        pipe(seeds=[0])
    parameters = sum(weight.numel() for weight in pipe.generator.parameters())
    work = counter.get_total_flops() / 2
    print(f"{name:20} {work / 1e6:7.1f} million multiplications, {work / parameters:5.0f} for each parameter")

# %% [markdown] lang="en"
# A perceptron uses each of its parameters once. A convolution uses it at every place of its maps; that is what "knows
# neighbours" means, seen from the other side: the same small pattern everywhere.

# %% [markdown] lang="pt"
# Um perceptron usa cada parâmetro uma vez. Uma convolução o usa em cada lugar dos seus mapas; é isso que quer dizer "saber de
# vizinhança", visto do outro lado: o mesmo pequeno padrão em toda parte.
