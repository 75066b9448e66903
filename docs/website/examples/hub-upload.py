from pathlib import Path

from gan_hub.hub.upload import upload

address = upload(Path("my-gan"), "owner/my-gan", private=True, commit_message="first try")  # after `hf auth login`
