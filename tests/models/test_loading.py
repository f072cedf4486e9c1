"""Loading models when they are needed: which one does a job, on which device, and who makes room for whom."""

from __future__ import annotations

import gc
import importlib
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from processor.config import Models
from processor.errors import ModelError
from processor.models import loading, store
from processor.models.loading import Bench, Machine, candidates, chosen, guard_broken_packages, identities, machine
from processor.models.table import JOBS, File, Model, Source, all_models
from tests.models.fakes import WEIGHTS, a_model

# A package of the standard library stands for one with weights in it.
INSIDE = Source("package", "json", files=(File("__init__.py"),))


class Loaded:
    """What a loader makes."""

    def __init__(self, model: Model, folder: Path, machine: Machine) -> None:
        self.name, self.folder, self.machine = model.name, folder, machine


def small(name: str, memory_bytes: int) -> Model:
    job = all_models()[name].job
    return replace(a_model(INSIDE, name=name), job=job, memory_bytes=memory_bytes)


MODELS = {
    name: small(name, size)
    for name, size in {"htdemucs": 60, "bs_roformer_sw": 50, "yamnet": 10, "ast": 40, "swift_f0": 30}.items()
}
SETTINGS = Models(max_model_memory_bytes=100, device="cpu", threads=3)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of models, as they are loaded; each stands in its own small package."""
    names: list[str] = []

    def load(model: Model, folder: Path, machine: Machine) -> Loaded:
        names.append(model.name)
        return Loaded(model, folder, machine)

    monkeypatch.setattr(loading, "all_models", lambda: MODELS)
    monkeypatch.setitem(sys.modules, "processor.models.fake", SimpleNamespace(load=load))  # type: ignore[arg-type]
    return names


def a_bench(settings: Models = SETTINGS, **more: str) -> Bench:
    return Bench(settings, {"separator": "htdemucs", "yamnet_tagger": "yamnet", "ast_tagger": "ast", **more})


# Which model


def test_what_is_on_goes_before_what_may_and_what_is_off_is_nothing(loads: list[str]) -> None:
    def names(settings: Models) -> list[str]:
        return [model.name for model in candidates(settings, "separator")]

    assert names(SETTINGS) == ["htdemucs", "bs_roformer_sw"]
    assert names(replace(SETTINGS, bs_roformer_sw="on")) == ["bs_roformer_sw", "htdemucs"]
    assert names(replace(SETTINGS, htdemucs="off")) == ["bs_roformer_sw"]


def test_a_job_goes_to_the_first_that_is_here(loads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    everything = {model.job: name for name, model in reversed(MODELS.items())}
    assert chosen(SETTINGS) == everything
    absent = replace(MODELS["htdemucs"], sources=(Source("package", "no_such_package", files=(File("x"),)),))
    monkeypatch.setitem(MODELS, "htdemucs", absent)
    assert chosen(SETTINGS) == everything | {"separator": "bs_roformer_sw"}
    assert chosen(replace(SETTINGS, bs_roformer_sw="off")).keys() == everything.keys() - {"separator"}
    assert [model.name for model in loading.missing(replace(SETTINGS, htdemucs="on", yamnet="on"))] == ["htdemucs"]
    assert loads == []


def test_a_switch_that_is_none_is_told() -> None:
    with pytest.raises(ModelError, match=r"models\.ast is 'yes'; it can be on, auto or off"):
        candidates(Models(ast="yes"), "ast_tagger")


def test_identities_tell_version_and_name(loads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_version", lambda _: "1.2.3")
    assert identities(SETTINGS, {"yamnet_tagger": "yamnet"}) == {"yamnet_tagger": "yamnet 1.2.3"}


def test_the_jobs_of_the_real_models_are_done_here_by_what_is_installed(tmp_path: Path) -> None:
    """With nothing fetched, only what comes in packages is here."""
    found = chosen(Models(folder=str(tmp_path)))
    assert found.keys() <= {"pitch_tracker"}
    assert found.keys() <= JOBS.keys()


# The bench


def test_a_model_is_loaded_once(loads: list[str]) -> None:
    bench = a_bench()
    first = bench.load("yamnet_tagger")
    assert bench.load("yamnet_tagger") is first
    assert (first.name, first.folder.name, first.machine) == ("yamnet", "json", Machine("cpu", 3))
    assert loads == ["yamnet"]


def test_who_was_not_used_for_longest_makes_room(loads: list[str]) -> None:
    bench = a_bench(pitch_tracker="swift_f0")
    separator = weakref.ref(bench.load("separator"))  # 60
    tagger = weakref.ref(bench.load("yamnet_tagger"))  # 10
    bench.load("pitch_tracker")  # 30: full
    bench.load("separator")
    bench.load("ast_tagger")  # 40: yamnet (10) and swift_f0 (30) go, the separator was used last
    gc.collect()
    assert tagger() is None
    assert separator() is not None
    bench.load("separator")
    bench.load("yamnet_tagger")  # 10: now ast goes
    bench.load("separator")
    assert loads == ["htdemucs", "yamnet", "swift_f0", "ast", "yamnet"]


def test_a_model_that_is_larger_than_all_there_is_is_alone(loads: list[str]) -> None:
    bench = a_bench(replace(SETTINGS, max_model_memory_bytes=20))
    bench.load("yamnet_tagger")
    bench.load("separator")
    bench.load("yamnet_tagger")
    assert loads == ["yamnet", "htdemucs", "yamnet"]


def test_one_that_finds_no_memory_is_tried_again_alone(loads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    bench = a_bench()
    tagger = weakref.ref(bench.load("yamnet_tagger"))
    real = loading.load

    def scarce(settings: Models, model: Model) -> Any:
        if tagger() is not None:
            raise MemoryError
        return real(settings, model)

    monkeypatch.setattr(loading, "load", scarce)
    assert bench.load("separator").name == "htdemucs"
    monkeypatch.setattr(loading, "load", lambda *_: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        a_bench().load("separator")


def test_a_job_without_a_model_is_told(loads: list[str]) -> None:
    with pytest.raises(ModelError, match="no model for clap"):
        a_bench().load("clap")


# Loading one


def test_a_model_that_is_not_here_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="yamnet is not here; get it: linernotes models get yamnet"):
        loading.load(Models(folder=str(tmp_path)), all_models()["yamnet"])


def test_a_model_whose_packages_are_missing_is_told() -> None:
    model = a_model(INSIDE, needs=("json", "no_such_package"))
    with pytest.raises(
        ModelError, match=r"needs no_such_package, not installed here: pip install 'liner-notes\[models\]'"
    ):
        loading.load(SETTINGS, model)


@pytest.mark.parametrize(
    "error", [RuntimeError("bad\nmagic  number"), KeyError("weights"), AssertionError(), OSError(5)]
)
def test_whatever_a_library_says_becomes_one_error(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def load(*_: Any) -> None:
        raise error

    monkeypatch.setitem(sys.modules, "processor.models.fake", SimpleNamespace(load=load))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=f"yamnet cannot be loaded: {type(error).__name__}") as told:
        loading.load(SETTINGS, a_model(INSIDE))
    assert "\n" not in str(told.value)


def test_torch_is_not_imported_for_a_model_that_does_not_need_it(
    loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "torchvision", "torchaudio"):
        monkeypatch.setitem(sys.modules, name, None)  # an import would fail
    found = loading.load(replace(SETTINGS, device="auto"), a_model(INSIDE, needs=("json",)))
    assert found.machine.device == "cpu"


# Devices


def test_the_cpu_needs_nothing() -> None:
    assert machine(Models(device="cpu", threads=2)) == Machine("cpu", 2)
    assert machine(Models(device="cpu")).threads >= 1


@pytest.mark.parametrize("device", ["gpu", "", "cuda:", "cuda:x", "meta", "CPU", "cuda:1; rm"])
def test_a_device_that_there_is_not_is_told(device: str) -> None:
    with pytest.raises(ModelError, match="it can be auto, cpu, cuda"):
        machine(Models(device=device))


class FakeTorch(ModuleType):
    """A torch that sees this many graphics processors."""

    def __init__(self, count: int) -> None:
        super().__init__("torch")
        self.cuda = SimpleNamespace(is_available=lambda: count > 0)
        self.count = count

    def zeros(self, _: int, device: str) -> None:
        number = int(device.partition(":")[2] or 0)
        if number >= self.count:
            raise RuntimeError("CUDA error: invalid device ordinal\nCompile with TORCH_USE_CUDA_DSA")


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(request.param))
    monkeypatch.setattr(loading, "package_folder", Path)


@pytest.mark.parametrize(("torch", "expected"), [(0, "cpu"), (1, "cuda")], indirect=["torch"])
def test_auto_is_a_graphics_processor_where_torch_sees_one(torch: None, expected: str) -> None:
    assert machine(Models(device="auto")).device == expected


@pytest.mark.parametrize("torch", [1], indirect=True)
def test_a_device_is_tried(torch: None) -> None:
    assert machine(Models(device="cuda:0")).device == "cuda:0"
    with pytest.raises(ModelError, match=r"'cuda:1', which cannot be used here: CUDA error: invalid device ordinal$"):
        machine(Models(device="cuda:1"))


@pytest.mark.parametrize(
    ("providers", "expected"), [(["CPUExecutionProvider"], "cpu"), (["CUDAExecutionProvider"], "cuda")]
)
def test_auto_is_what_onnxruntime_was_built_for(
    monkeypatch: pytest.MonkeyPatch, providers: list[str], expected: str
) -> None:
    runtime = SimpleNamespace(get_available_providers=lambda: providers)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)  # type: ignore[arg-type]
    monkeypatch.setattr(loading, "package_folder", Path)
    assert machine(Models(), ("onnxruntime",)).device == expected


def test_without_torch_auto_is_the_cpu_and_cuda_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "package_folder", lambda _: None)
    assert machine(Models(device="auto")).device == "cpu"
    with pytest.raises(ModelError, match="torch is not installed: pip install"):
        machine(Models(device="cuda"))


# Broken packages


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that goes before those that are installed, and no torchvision or torchaudio loaded yet."""
    for name in [key for key in sys.modules if key.partition(".")[0] in ("torchvision", "torchaudio")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("torchvision", "torchvision.ops", "torchaudio"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))  # so that what the test leaves is taken back
        del sys.modules[name]
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def a_package(folder: Path, name: str, lines: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(lines)
    (folder / name / "ops.py").write_text("")


@pytest.mark.parametrize(
    "raised", ["RuntimeError('operator torchvision::nms does not exist')", "OSError('libtorch.so')", "ImportError()"]
)
def test_a_package_that_cannot_be_imported_is_hidden(packages: Path, raised: str) -> None:
    a_package(packages, "torchvision", f"import torchvision.ops\nraise {raised}")
    a_package(packages, "torchaudio", "fine = True")
    guard_broken_packages()
    assert "torchvision.ops" not in sys.modules
    with pytest.raises(ImportError):
        importlib.import_module("torchvision")
    assert store.package_folder("torchvision") is None  # and whoever looks for it does not find it
    assert importlib.import_module("torchaudio").fine


def test_a_package_that_is_fine_stays_the_one_it_is(packages: Path) -> None:
    a_package(packages, "torchvision", "")
    a_package(packages, "torchaudio", "")
    before = importlib.import_module("torchvision")
    guard_broken_packages()
    guard_broken_packages()
    assert sys.modules["torchvision"] is before


def test_what_lies_in_the_store_is_loaded_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "processor.models.fake", SimpleNamespace(load=Loaded))  # type: ignore[arg-type]
    own = tmp_path / "own"
    own.mkdir()
    (own / "net.onnx").write_bytes(WEIGHTS)
    settings = replace(SETTINGS, folder=str(tmp_path / "models"))
    store.get(settings, a_model(), own=own)
    assert loading.load(settings, a_model()).folder == tmp_path / "models" / "yamnet"
    (tmp_path / "models" / "yamnet" / "net.onnx").write_bytes(b"something else")
    with pytest.raises(ModelError, match="is not here"):
        loading.load(settings, a_model())
