from gan_hub.seeds import WrongCountError, parse_seeds

assert parse_seeds("0-3, 14") == [0, 1, 2, 3, 14]
try:
    parse_seeds("0-99", most=16)
except WrongCountError as error:
    print(error, error.count)
