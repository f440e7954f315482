"""The extension as the Extensions Index takes it: every file packaged, the entry whole, readable by Python 3.9."""

import ast
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "slicer_extension"
MODULES = ("PerfuSynth", "PerfuSynthRegistration")
#: What the desktop program ships (Slicer 5.8 to 5.12): nothing else may be imported.
SHIPPED = {"numpy", "requests", "SimpleITK", "vtk", "slicer", "qt", "ctk", "SampleData"} | {
    f"{module}Lib" for module in MODULES
}

#: Names of the standard library that Slicer 5.8's Python does not have; grammar is `ast.parse`'s to refuse.
NEWER_THAN_3_9 = {
    ("datetime", "UTC"),
    ("itertools", "pairwise"),
    ("itertools", "batched"),
    ("typing", "Self"),
    ("typing", "TypeAlias"),
    ("typing", "ParamSpec"),
    ("typing", "assert_never"),
    ("enum", "StrEnum"),
    ("contextlib", "chdir"),
    ("contextlib", "aclosing"),
    ("hashlib", "file_digest"),
    ("types", "NoneType"),
}

#: What `find_package(Slicer)` gives an extension, as little of it as ours uses: macros that write down their arguments.
FAKE_SLICER = """
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/Use.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/Generate.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/Pack.cmake)
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-5.10/qt-scripted-modules)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-5.10/qt-scripted-modules)
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  file(WRITE ${CMAKE_BINARY_DIR}/${MY_NAME}-scripts.txt "${MY_SCRIPTS}")
  file(WRITE ${CMAKE_BINARY_DIR}/${MY_NAME}-resources.txt "${MY_RESOURCES}")
  foreach(path ${MY_SCRIPTS} ${MY_RESOURCES})
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${path})
      message(FATAL_ERROR "listed, but not there: ${path}")
    endif()
  endforeach()
endfunction()
function(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "SCRIPT" "" ${ARGN})
  file(APPEND ${CMAKE_BINARY_DIR}/tests.txt "${MY_SCRIPT};")
endfunction()
"""


@pytest.fixture(scope="module")
def configured(tmp_path_factory) -> Path:
    """Build folder of the extension, configured by the real cmake against the stand-in of Slicer's package."""
    cmake = shutil.which("cmake", path=Path(sys.executable).parent)
    assert cmake is not None, "the environment's own cmake is missing: run `make env`"
    fake, build = tmp_path_factory.mktemp("Slicer"), tmp_path_factory.mktemp("build")
    (fake / "SlicerConfig.cmake").write_text(FAKE_SLICER)
    (fake / "Use.cmake").write_text("")
    for name in ("Generate", "Pack"):
        (fake / f"{name}.cmake").write_text(f"file(WRITE ${{CMAKE_BINARY_DIR}}/{name}.txt ${{EXTENSION_DEPENDS}})")
    answer = subprocess.run(
        [cmake, "-S", EXTENSION, "-B", build, f"-DSlicer_DIR={fake}", "-DBUILD_TESTING=ON", "-Wno-dev"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return build


def listed(build: Path, name: str) -> set[str]:
    return set(filter(None, (build / name).read_text().split(";")))


def python_files(*modules: str) -> list[Path]:
    folders = [EXTENSION / module for module in modules]
    return [path for folder in folders for path in (folder / f"{folder.name}.py", *sorted(folder.glob("*Lib/**/*.py")))]


@pytest.mark.parametrize("module", MODULES)
def test_every_python_file_is_packaged(configured, module):
    there = {str(path.relative_to(EXTENSION / module)) for path in python_files(module)}
    assert listed(configured, f"{module}-scripts.txt") == there


@pytest.mark.parametrize("module", MODULES)
def test_every_resource_is_packaged(configured, module):
    folder = EXTENSION / module
    there = {str(path.relative_to(folder)) for path in (folder / "Resources").rglob("*") if path.is_file()}
    assert listed(configured, f"{module}-resources.txt") == there


def test_no_file_of_one_module_hides_one_of_the_other():
    """Installed, all modules share one folder."""
    files = [{str(path.relative_to(EXTENSION / module)) for path in python_files(module)} for module in MODULES]
    assert not files[0] & files[1]


def test_every_self_test_is_run(configured):
    there = {path.name for path in EXTENSION.glob("*/Testing/Python/*.py")}
    assert listed(configured, "tests.txt") == there


def test_the_package_is_made_and_carries_the_phantom(configured):
    assert (configured / "Generate.txt").exists()
    assert (configured / "Pack.txt").exists()
    folder = "lib/Slicer-5.10/qt-scripted-modules/Resources/SampleData/phantom-4000020"
    assert (configured / folder / "ncct.nii.gz").exists()
    assert folder in (configured / "PerfuSynth" / "cmake_install.cmake").read_text()


def test_the_phantom_has_the_checksum_that_the_sample_is_registered_with():
    from PerfuSynthLib import sample_data

    path = next(place for place in sample_data._PLACES if place.is_file())
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sample_data._SHA256


def test_the_catalog_entry_is_one_of_schema_1_0_2():
    entry = json.loads((EXTENSION / "PerfuSynth.json").read_text())
    assert "schema-v1.0.2" in entry["$schema"]
    assert set(entry) <= {
        "$schema", "build_dependencies", "build_subdirectory", "category", "dicom_support_rule", "enabled",
        "scm_revision", "scm_type", "scm_url", "tier",
    }  # fmt: skip
    assert entry["scm_url"].startswith("https://")
    assert entry["category"]
    assert entry["tier"] == 3
    assert entry["dicom_support_rule"] == "Modality == 'CT'"
    assert (ROOT / entry["build_subdirectory"] / "CMakeLists.txt").is_file()


def test_the_project_is_named_as_the_catalog_entry():
    assert "project(PerfuSynth)" in (EXTENSION / "CMakeLists.txt").read_text()


def _is_of_a_module(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)


@pytest.mark.parametrize("path", python_files(*MODULES), ids=lambda path: path.name)
def test_a_file_is_read_by_python_3_9_and_imports_what_slicer_ships(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    newer = {(node.value.id, node.attr) for node in ast.walk(tree) if _is_of_a_module(node)} & NEWER_THAN_3_9
    assert not newer, f"{newer} came after Python 3.9"
    widget = path.name.startswith("widget") or path.stem in MODULES
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
            newer = {(node.module, alias.name) for alias in node.names} & NEWER_THAN_3_9
            assert not newer, f"{newer} came after Python 3.9"
        elif isinstance(node, ast.Attribute):
            assert node.attr != "bit_count", "int.bit_count came with Python 3.10"
        assert not isinstance(node, getattr(ast, "Match", ())), "match came with Python 3.10"
        if isinstance(node, ast.Call):
            newer = {keyword.arg for keyword in node.keywords} & {"strict", "slots", "kw_only"}
            assert not newer, f"{newer} came after Python 3.9"
        for name in names:
            top = name.split(".")[0]
            assert top in SHIPPED or top in sys.stdlib_module_names, f"{name} is not shipped with Slicer"
            assert widget or top not in ("qt", "ctk"), f"{name} outside of the widget files"


@pytest.mark.parametrize("module", MODULES)
def test_the_panel_names_no_widget_twice(module):
    ui = ElementTree.parse(EXTENSION / module / "Resources" / "UI" / f"{module}.ui")
    names = [widget.get("name") for widget in ui.iter("widget")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", python_files(*MODULES), ids=lambda path: path.name)
def test_no_type_is_put_together_at_run_time_as_python_3_9_cannot(path):
    tree = ast.parse(path.read_text())
    annotations = {
        id(inner)
        for node in ast.walk(tree)
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if annotation is not None
        for inner in ast.walk(annotation)
    }
    unions = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and id(node) not in annotations
        for side in (node.left, node.right)
        if (isinstance(side, ast.Constant) and side.value is None)
        or (isinstance(side, ast.Name) and side.id in {"int", "float", "str", "bytes", "bool", "Path"})
    ]
    assert not unions, f"int | None outside of an annotation in line {unions}"
    if annotations and "|" in path.read_text():
        assert "from __future__ import annotations" in path.read_text()
