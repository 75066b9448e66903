# %% [markdown] lang="en"
# # 8. Style transfer
#
# *No generator, no opponent: a picture that is trained itself. Content, Gram matrices, variation, and a way from noise to a
# painting.*
#
# In this lesson nothing is learned. There is one network, finished years ago, that can recognise a thousand kinds of things, and
# it stands still. What moves is the picture: we ask the network what it sees, and change the *pixels* until it sees what we want
# (Gatys, Ecker and Bethge 2016). It is the discriminator's half of a GAN, turned around: a judge whose gradient paints.

# %% [markdown] lang="pt"
# # 8. Transferência de estilo
#
# *Sem gerador, sem adversário: uma imagem que é ela mesma treinada. Conteúdo, matrizes de Gram, variação, e um caminho do
# ruído à pintura.*
#
# Nesta aula nada é aprendido. Há uma rede, pronta há anos, que sabe reconhecer mil tipos de coisas, e ela fica parada. O que se
# mexe é a imagem: perguntamos à rede o que ela vê, e mudamos os *pixels* até que ela veja o que queremos (Gatys, Ecker e Bethge
# 2016). É a metade do discriminador de uma GAN, virada do avesso: um juiz cujo gradiente pinta.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from gan_hub import GANPipeline
from gan_hub.images import grid, to_pil
from gan_hub.style_transfer import content_loss, gram_matrix, load_features, style_loss, style_transfer
from gan_hub.style_transfer.transfer import to_tensor

torch.manual_seed(0)
SIZE = 128


def show(images, columns=4):
    sheet = grid([image.resize((SIZE, SIZE)) for image in images], columns)
    plt.figure(figsize=(7, 7 * sheet.height / sheet.width), dpi=56)
    plt.imshow(sheet)
    plt.axis("off")
    plt.show()


cat = GANPipeline.from_pretrained("r3gan-cats-64", discriminator=None)(seeds=[6]).images[0].resize((SIZE, SIZE))

y, x = np.mgrid[:SIZE, :SIZE] / SIZE  # two paintings that a formula paints
waves = np.stack([np.sin(40 * x + 6 * np.sin(9 * y) + phase) for phase in (0, 1.4, 2.6)], -1)
cells = np.stack([np.sin(15 * x + turn) * np.cos(19 * y - 2 * turn) for turn in (0, 0.5, 1.1)], -1)
paintings = [Image.fromarray(((0.8 * part + 1) * 127.5).astype("uint8")) for part in (waves, cells)]
show([cat, *paintings])

# %% [markdown] lang="en"
# A cat that our zoo invented, and two "paintings" that a formula painted. The goal: the cat, painted in the manner of the waves.
#
# ## What a network sees
#
# SqueezeNet (Iandola et al. 2016) comes with the package. Each of its layers turns the picture into a stack of maps. Early layers
# see edges and colours, later ones ears and eyes, and the exact place gets lost on the way.

# %% [markdown] lang="pt"
# Um gato que o nosso zoológico inventou, e duas "pinturas" que uma fórmula pintou. O objetivo: o gato, pintado à maneira das ondas.
#
# ## O que uma rede vê
#
# A SqueezeNet (Iandola et al. 2016) vem com o pacote. Cada uma das suas camadas transforma a imagem numa pilha de mapas. As
# primeiras veem bordas e cores, as seguintes orelhas e olhos, e o lugar exato se perde no caminho.

# %%
eye = load_features("squeezenet")
print("layers:", ", ".join(eye.layers))
layers = [eye.layers[0], eye.layers[3], eye.layers[-2]]
seen = eye(to_tensor("content", cat, SIZE), layers)
figure, axes = plt.subplots(len(layers), 8, figsize=(7, 3), dpi=72)
for row, layer in zip(axes, layers):
    strongest = seen[layer][0].mean(dim=(1, 2)).argsort(descending=True)[:8]
    for axis, number in zip(row, strongest):
        axis.imshow(seen[layer][0, number], cmap="magma")
        axis.axis("off")
plt.show()
print({layer: tuple(seen[layer].shape[1:]) for layer in layers})

# %% [markdown] lang="en"
# ## Content
#
# Two pictures have the same *content* if a later layer sees the same in both. So start from pure noise, and change its pixels until
# that layer sees the cat. The gradient goes through the whole network, back to the picture.

# %% [markdown] lang="pt"
# ## Conteúdo
#
# Duas imagens têm o mesmo *conteúdo* se uma camada mais funda vê o mesmo nas duas. Então parta de ruído puro, e mude os pixels até
# que essa camada veja o gato. O gradiente atravessa a rede inteira, de volta à imagem.


# %%
def paint(loss_of, start, steps=60, rate=0.04):
    """Change the pixels of `start` downhill; the picture after a few stages."""
    image, stages = start.clone().requires_grad_(), []
    adam = torch.optim.Adam([image], lr=rate)
    for step in range(steps + 1):
        if step in (0, 10, steps // 2, steps):
            stages.append(to_pil(image.detach().clamp(-1, 1))[0])
        loss = loss_of(image)
        adam.zero_grad()
        loss.backward()
        adam.step()
        with torch.no_grad():
            image.clamp_(-1, 1)
    return stages


deep = eye.layers[4]
wanted = eye(to_tensor("content", cat, SIZE), [deep])[deep]
noise = torch.randn(1, 3, SIZE, SIZE) * 0.3
show(paint(lambda image: content_loss(eye(image, [deep])[deep], wanted), noise))

# %% [markdown] lang="en"
# The cat comes out of the noise: form and features, but hardly a colour. The layer does not care about those; it was trained to
# call a cat a cat in any light.
#
# ## Style
#
# Now the other half. What makes a *style*? Not where something is, but what goes together with what: "where there is an edge like
# this, there is a colour like that". Take the maps of one layer as vectors, and write down how strongly each pair of them agrees:
#
# $$G_{ij} = \frac{1}{n} \sum_{p} F_{ip}\, F_{jp}$$
#
# This is the Gram matrix. The sum runs over all places $p$, so places no longer occur in it. If you shuffle the pixels of the
# maps, it stays the same; the next cell checks it.

# %% [markdown] lang="pt"
# O gato sai do ruído: forma e traços, mas quase nenhuma cor. A camada não liga para elas; foi treinada para chamar um gato de
# gato em qualquer luz.
#
# ## Estilo
#
# Agora a outra metade. O que faz um *estilo*? Não é onde algo está, mas o que anda junto com o quê: "onde há uma borda dessas, há
# uma cor daquelas". Tome os mapas de uma camada como vetores, e anote o quanto cada par deles concorda:
#
# $$G_{ij} = \frac{1}{n} \sum_{p} F_{ip}\, F_{jp}$$
#
# Essa é a matriz de Gram. A soma corre sobre todos os lugares $p$, e assim os lugares somem dela. Se você embaralha os pixels dos
# mapas, ela continua a mesma; a próxima célula confere.

# %%
maps = eye(to_tensor("style", paintings[0], SIZE), [deep])[deep]
shuffled = maps.flatten(2)[..., torch.randperm(maps[0, 0].numel())].reshape(maps.shape)
print(
    "shuffled:", (gram_matrix(maps) - gram_matrix(shuffled)).abs().max().item() < 1e-4 * gram_matrix(maps).max().item()
)

style_layers = [eye.layers[number] for number in (0, 1, 2, 3)]


def grams(image):
    return [gram_matrix(features) for features in eye(image, style_layers).values()]


for painting in paintings:
    target = [each.detach() for each in grams(to_tensor("style", painting, SIZE))]
    show(paint(lambda image, target=target: style_loss(grams(image), target), noise, steps=80, rate=0.08))

# %% [markdown] lang="en"
# From noise to wallpaper, twice. The strokes and the colours of each painting are there, the arrangement is another one. A Gram
# matrix is a *statistic* of a picture, and what we did is moment matching: lesson 1 again, with the pixels as the generator.
#
# ## Both
#
# Add the two losses, with weights, and a third one against grain: the mean difference of neighbouring pixels
# (*total variation*). That is the whole method, and the package has it in one call; it uses L-BFGS, which needs fewer
# steps than Adam.
#
# $$L = \alpha\, L_\text{content} + \beta\, L_\text{style} + \gamma\, L_\text{variation}$$

# %% [markdown] lang="pt"
# Do ruído ao papel de parede, duas vezes. As pinceladas e as cores de cada pintura estão lá, o arranjo é outro. Uma matriz de
# Gram é uma *estatística* da imagem, e o que fizemos foi casar momentos: a aula 1 de novo, com os pixels no lugar do gerador.
#
# ## Os dois
#
# Some as duas perdas, com pesos, e uma terceira contra a granulação: a diferença média dos pixels vizinhos (*variação
# total*). Esse é o método inteiro, e o pacote o tem numa chamada só; ele usa L-BFGS, que precisa de menos passos do que o Adam.
#
# $$L = \alpha\, L_\text{content} + \beta\, L_\text{style} + \gamma\, L_\text{variation}$$

# %%
results = [
    style_transfer(cat, painting, steps=60, size=SIZE, style_weight=weight)
    for painting in paintings
    for weight in (1, 4, 16, 64)
]
show([result.image for result in results])
for result in results[:4]:
    last = result.history[-1]
    print(f"content {last.content:.3f}   style {last.style:.5f}   variation {last.variation:.3f}")

# %% [markdown] lang="en"
# From left to right the style weighs 1, 4, 16 and 64 times the content. In the numbers you can watch the bargain: the more the
# style counts, the smaller its loss, and the larger that of the content. There is no right place on this line, there is only taste.
#
# More on the options, and pictures of your own: [the page on style transfer](../../style-transfer.md).
#
# **On the page.** Say `gan-hub demo` in a terminal: the tab *Style* paints
# [a cat in waves, strokes or a mosaic](http://127.0.0.1:7860/?tab=style&content=2&style=0&weight=much), or your own photograph.
#
# ## Exercises
#
# 1. Use the last layer for the style, alone (`style_layers=[eye.layers[-1]]` in `style_transfer`). Then the first one, alone. What does
#    each know of the waves?
# 2. Start from noise (`start="noise"`) and let the variation weigh 0, then 20 (`variation_weight`).
# 3. Take the cat for the style and the waves for the content. Before you run it: what do you expect?
#
# **A question.** Turn a painting upside down. Does its style change, to this network? Guess whether its Gram matrices lie nearer to
# those of the original, or to those of the *other* painting, and by how much. The next cell computes both.

# %% [markdown] lang="pt"
# Da esquerda para a direita o estilo pesa 1, 4, 16 e 64 vezes o conteúdo. Nos números se vê a barganha: quanto mais conta o
# estilo, menor a perda dele, e maior a do conteúdo. Não há lugar certo nessa linha, só há gosto.
#
# Mais sobre as opções, e imagens suas: [a página sobre transferência de estilo](../../style-transfer.md).
#
# **Na página.** Digite `gan-hub demo` num terminal: a aba *Estilo* pinta
# [um gato em ondas, pinceladas ou mosaico](http://127.0.0.1:7860/?tab=style&content=2&style=0&weight=much), ou uma fotografia sua.
#
# ## Exercícios
#
# 1. Use só a última camada para o estilo (`style_layers=[eye.layers[-1]]` em `style_transfer`). Depois só a primeira. O que cada uma
#    sabe das ondas?
# 2. Parta do ruído (`start="noise"`) e deixe a variação pesar 0, depois 20 (`variation_weight`).
# 3. Use o gato como estilo e as ondas como conteúdo. Antes de rodar: o que você espera?
#
# **Uma pergunta.** Ponha uma pintura de cabeça para baixo. Para esta rede, o estilo muda? Dê um palpite: as matrizes de Gram dela
# ficam mais perto das da original ou das da *outra* pintura, e quanto? A próxima célula calcula as duas coisas.

# %%
turned = to_tensor("style", paintings[0].rotate(180), SIZE)
for name, painting in {"the same": paintings[0], "the other": paintings[1]}.items():
    target = grams(to_tensor("style", painting, SIZE))
    print(f"{name:9}  {style_loss(grams(turned), target).item():.4f}")

# %% [markdown] lang="en"
# Far nearer to its own, and yet not 0: turned around, the stripes follow each other in the reverse order of colours, and that
# order is a part of "what goes with what". A Gram matrix forgets *where* things are. It does not forget in which direction they go
# on.

# %% [markdown] lang="pt"
# Muito mais perto das dela, e mesmo assim não dá 0: de cabeça para baixo, as listras se sucedem na ordem inversa das cores, e essa
# ordem faz parte do "que anda junto com o quê". Uma matriz de Gram esquece *onde* as coisas estão. Não esquece em que direção elas
# continuam.
