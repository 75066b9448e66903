from gan_hub.training.monitors import AlarmError, Monitors

monitors = Monitors(batch_size=64)
for step in range(50, 1000, 50):  # in any training loop: numbers, every 50 steps
    for alarm in monitors.observe(step * 64, {"diversity": 0.01}):
        print(alarm)  # mode collapse: …

try:
    raise AlarmError("what a run with alarms: stop ends with")
except ValueError as error:
    print(error)
