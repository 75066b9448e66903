from gan_hub.data.avatars import SIDE, SPLITS, VALUES, Attributes, Pose, attributes, draw, draw_face, sample_face

image, known = draw(seed=0, index=7)  # the eighth image of the training split
assert image.size == (SIDE, SIDE) and known == sample_face(0, 7)[0]
print(VALUES["glasses"], SPLITS)

face: tuple[Attributes, Pose] = sample_face(seed=5, index=0)
draw_face(*face).save("face.png")
print(len(attributes("test")))  # of every image of that split, none drawn
