"""Installs the library, the MONAI Label app and the shipped bundles."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def share(*folders: str) -> list[tuple[str, list[str]]]:
    """Data files below ``folders``, to be installed under ``share/perfusynth`` with the same layout."""
    found: dict[str, list[str]] = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                relative = path.relative_to(ROOT)
                found.setdefault(f"share/perfusynth/{relative.parent.as_posix()}", []).append(str(relative))
    return sorted(found.items())


version = next(
    line.split('"')[1] for line in (ROOT / "perfusynth/__init__.py").read_text().splitlines() if "__version__" in line
)

setup(
    name="perfusynth",
    version=version,
    description="CT perfusion maps out of a plain head CT, in 3D Slicer. Research use only.",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8") if (ROOT / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.13",
    packages=find_packages(include=["perfusynth", "perfusynth.*"]),
    package_data={"perfusynth": ["**/*.json", "**/*.html", "py.typed"]},
    data_files=share("apps", "models", "model_templates", "sample-data"),
    entry_points={"console_scripts": ["perfusynth = perfusynth.cli.main:main"]},
    # Exact versions live in constraints.txt; MONAI Label itself is installed without its optional heavy
    # dependencies (see the Makefile and docs/dependencies.md), so that it is not listed here.
    install_requires=[
        "diffusers",
        "fastapi",
        "filelock",
        "matplotlib",
        "monai",
        "nibabel",
        "nilearn",
        "numpy",
        "peft",
        "pillow",
        "pooch",
        "psutil",
        "pydantic",
        "pydantic-settings",
        "pydicom",
        "pynrrd",
        "python-multipart",
        "pytorch-ignite",
        "requests",
        "rich",
        "safetensors",
        "scikit-learn",
        "scipy",
        "SimpleITK",
        "torch",
        "transformers",
        "typer",
        "uvicorn",
    ],
)
