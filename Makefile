# Targets a person types: env, demo, test, test-all, totalsegmentator, bench, phantom-atlas, phantom-realism, ctp-maps-agreement, information-ceiling, slicer-screens, registration-screens, lint. Python 3.11 or 3.12.

# The first of these that runs and is 3.11 or 3.12 (a version manager's shim may be on PATH and not run).
PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && { echo $$p; break; }; done)
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.complete

# An empty value: with bytecode switched off, every process of a fresh environment would compile it anew.
export PYTHONDONTWRITEBYTECODE =
# Local wheels that pip has been told of are seen by uv, too.
export UV_FIND_LINKS = $(PIP_FIND_LINKS)

# Debian packages beyond Python itself: the venv module, which some images leave out; for the tests of the Slicer
# extension what renders and shows a panel without a screen.
DEBIAN_PACKAGES := python3-venv
SCREEN_PACKAGES := libegl1 libgl1 libgl1-mesa-dri libxkbcommon0 libfontconfig1 libdbus-1-3 libglib2.0-0

RUNTIME := torch monai numpy pydicom pydicom-seg highdicom dicomweb-client nibabel itk fastapi uvicorn \
  python-multipart pydantic pydantic-settings python-dotenv requests requests-toolbelt schedule timeloop expiringdict \
  expiring_dict cachetools watchdog pynrrd girder-client pyyaml filelock passlib pyjwt psutil google-auth scipy \
  pytorch-ignite httpx diffusers peft transformers safetensors SimpleITK nilearn matplotlib typer rich pooch \
  scikit-learn pillow tensorboard fire
DEVELOPMENT := import-linter jsonschema-rs ruff mypy pytest pytest-xdist pytest-timeout hypothesis slicer-core \
  PySide6-Essentials cmake itk-elastix

.PHONY: env screen-libraries totalsegmentator demo test test-all bench phantom-atlas phantom-realism ctp-maps-agreement information-ceiling slicer-screens registration-screens lint clean
env: $(STAMP)

$(STAMP): constraints.txt setup.py Makefile
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || \
	  { echo "make: Python 3.11 or 3.12 is needed: install one, or set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y --no-install-recommends $(DEBIAN_PACKAGES); \
	  else echo "make: run this once, then again: sudo apt-get install $(DEBIAN_PACKAGES)"; exit 1; fi
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -c constraints.txt monailabel
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt $(RUNTIME) $(DEVELOPMENT)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

# make demo            the shipped phantom case, then the public GE head CT; the server stays up (Ctrl-C ends it)
# make demo ONCE=1     the same, and the server is stopped
# make demo CT=PATH    another head CT
demo: env
	$(BIN)/perfusynth demo $(if $(CT),"$(CT)") $(if $(ONCE),--once) --out "$(or $(OUT),demo-output)"

# Two test processes on two cores: more threads in each would wait for each other most of the time.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# Whoever may, installs what is missing; whoever may not is told.
screen-libraries: env
	@$(BIN)/python -c 'import ctypes; [ctypes.CDLL(f"lib{name}") for name in ("EGL.so.1", "GL.so.1", \
	  "xkbcommon.so.0", "fontconfig.so.1", "dbus-1.so.3", "glib-2.0.so.0")]' 2>/dev/null || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y --no-install-recommends $(SCREEN_PACKAGES); \
	  else echo "make: run this once, then again: sudo apt-get install $(SCREEN_PACKAGES)"; exit 1; fi

test: env screen-libraries
	$(PYTEST) -m "not long"

# The second slicer-core is laid over the first: both need the same vtk, whose libraries it looks for beside itself.
SLICER_NEWER := slicer-core==5.12.4.0
test-all: env screen-libraries totalsegmentator
	$(PYTEST)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --target $(VENV)/slicer-newer $(SLICER_NEWER)
	LD_LIBRARY_PATH="$$($(BIN)/python -c 'import vtkmodules; print(vtkmodules.__path__[0])')" \
	  PYTHONPATH="$(CURDIR)/$(VENV)/slicer-newer" $(PYTEST) tests/slicer_extension

# TotalSegmentator's packages do not go together with ours: a program in an environment of its own (docs/brain.md). It
# takes torch from the ordinary index: with a processor-only torch its torchvision does not load.
TOTALSEGMENTATOR := .venv-totalsegmentator
totalsegmentator: $(TOTALSEGMENTATOR)/.complete
$(TOTALSEGMENTATOR)/.complete: constraints-totalsegmentator.txt | $(STAMP)
	@[ "$$(df -Pk . | awk 'NR == 2 { print $$4 }')" -gt 12000000 ] || \
	  { echo "make: TotalSegmentator needs 12 GB of free space while it is installed, then 6"; exit 1; }
	$(BIN)/python -m venv $(TOTALSEGMENTATOR)
	UV_FIND_LINKS= $(BIN)/uv pip install --quiet --python $(TOTALSEGMENTATOR)/bin/python \
	  -r constraints-totalsegmentator.txt
	$(TOTALSEGMENTATOR)/bin/python -c 'import torchvision, totalsegmentator.python_api'
	@touch $@

bench: env screen-libraries
	$(BIN)/python -m tests.benchmarks

# Twelve digital patients in every modality as one picture (some minutes).
phantom-atlas: env
	$(BIN)/python -m perfusynth.evaluation.phantom_atlas --out docs/pictures

# make phantom-realism            digital patients against published ones; renews docs/phantom.md and its pictures
# make phantom-realism PATIENTS=40 OUT=folder     fewer, elsewhere (a folder that is there is continued)
phantom-realism: env
	OMP_NUM_THREADS=1 $(BIN)/python -m perfusynth.evaluation.realism --patients $(or $(PATIENTS),500) --seed 6000000 \
	  --processes $(or $(PROCESSES),2) --out "$(or $(OUT),runs/realism)" --docs docs

# make ctp-maps-agreement         perfusynth maps on 24 digital patients against the truth; renews docs/perfusion.md
ctp-maps-agreement: env
	OMP_NUM_THREADS=1 $(BIN)/python -m perfusynth.evaluation.ctp_agreement --patients $(or $(PATIENTS),24) \
	  --processes $(or $(PROCESSES),1) --out "$(or $(OUT),runs/ctp-agreement)" --docs docs

# make information-ceiling OUT=FOLDER: how well any method could mark these patients; 20,000 twins, about 20 minutes on two quiet cores.
information-ceiling: env
	OMP_NUM_THREADS=1 $(BIN)/python -m perfusynth.evaluation.information_ceiling \
	  --out "$(or $(OUT),information-ceiling)" $(if $(DRAWS),--draws $(DRAWS)) $(if $(PATIENTS),--patients $(PATIENTS))

# make slicer-screens             what a radiologist sees in 3D Slicer, for the phantom; renews docs/pictures/slicer_*.png
# make slicer-screens CT=head.nii.gz OUT=folder     the same for another CT, elsewhere (patients stay out of docs)
slicer-screens: env screen-libraries
	OMP_NUM_THREADS=1 $(BIN)/python tests/slicer_extension/slicer_screens.py $(if $(CT),--ct "$(CT)") \
	  --out "$(or $(OUT),$(if $(CT),runs/slicer-screens,docs/pictures))"

# make registration-screens       the same of the annotators' module; renews docs/pictures/registration_slicer*.png
registration-screens: env screen-libraries
	OMP_NUM_THREADS=1 $(BIN)/python tests/slicer_extension/registration/registration_screens.py --out "$(or $(OUT),docs/pictures)"

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) demo-output
