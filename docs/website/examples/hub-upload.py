from pathlib import Path

from gan_hub.hub.upload import Push, upload

address = upload(Path("my-gan"), "owner/my-gan", private=True, commit_message="first try")  # after `hf auth login`

# What is sent, seen first: a push of the files that the manifest has, and what it leaves at home.
push = Push.from_folder(Path("my-gan"), variant=None)
print(push.names, push.left)
