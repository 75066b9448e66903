from gan_hub.foreign.convert import convert

report = convert(
    "network-snapshot.pkl", "my-gan", license="cc-by-nc-4.0", origin="https://example.org/where-it-came-from"
)
print(report)  # what was recognised, renamed, folded and lost
