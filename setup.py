"""What pyproject.toml cannot say: folders of the checkout that lie inside the package where it is installed."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["gan_hub", "gan_hub.*"]), "gan_hub.recipes"],
    package_dir={"gan_hub.recipes": "recipes"},
)
