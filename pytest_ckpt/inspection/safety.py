"""What reading a file in full would run, judged by the classes and functions that its pickles name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Literal

from pytest_ckpt.inspection.rebuilding import ITEM_SIZES

__all__ = ["Risk", "risk_of"]

Risk = Literal["plain", "known", "foreign", "dangerous"]
"""``plain``: what ``torch.load(weights_only=True)`` accepts. ``known``: classes of Python, numpy and torch that only
hold data. ``foreign``: code of another package, which reading the file imports and calls. ``dangerous``: a known way to
run commands, to read or write files, or to hide such a call."""

_PLAIN = frozenset(
    {
        *("collections.OrderedDict", "collections.Counter", "_codecs.encode"),
        *("builtins.bytearray", "builtins.complex", "builtins.set"),
        *("__builtin__.bytearray", "__builtin__.complex", "__builtin__.set"),
        *("torch.Size", "torch.Tensor", "torch.device", "torch.nn.parameter.Parameter"),
        *("torch.serialization._get_layout", "torch._tensor._rebuild_from_type_v2"),
        *(f"torch.{name}" for name in ITEM_SIZES),
        *("torch.per_tensor_affine", "torch.per_tensor_symmetric", "torch.per_channel_affine"),
        *("torch.per_channel_symmetric", "torch.per_channel_affine_float_qparams"),
    }
)
"""``torch._weights_only_unpickler._get_allowed_globals``, by name; storages and functions that rebuild by pattern."""

_PLAIN_PATTERN = re.compile(r"torch\.(storage\.)?[A-Z]\w*Storage|torch\._utils\._rebuild_\w+")

_KNOWN = frozenset(
    {
        *("argparse.Namespace", "types.SimpleNamespace", "collections.deque", "collections.defaultdict"),
        *("copyreg._reconstructor", "copy_reg._reconstructor", "re._compile", "uuid.UUID", "random.Random"),
        *("decimal.Decimal", "fractions.Fraction", "numpy.dtype", "numpy.ndarray"),
        *("torch.storage._load_from_bytes", "torch.torch_version.TorchVersion"),
        "torch.distributed.checkpoint.filesystem._StorageInfo",
    }
)

_KNOWN_PATTERN = re.compile(
    r"(datetime|pathlib(\._local)?)\.[a-zA-Z]+"
    r"|numpy\.(_core|core)\.multiarray\.(_reconstruct|scalar)|numpy\.(_core|core)\.numeric\._frombuffer"
    r"|numpy\.random\.\w+\.(__\w+_ctor|[A-Z]\w+)"
    r"|torch\.(nn\.modules|optim|amp|cuda\.amp)\.\w+\.[A-Z]\w*"
    r"|torch\.distributed\.checkpoint\.metadata\.[A-Z_]\w*"
)

_HARMLESS_BUILTINS = frozenset(
    {
        *("bool", "bytes", "dict", "float", "frozenset", "int", "list", "object", "range", "slice", "str", "tuple"),
        *("NotImplemented", "Ellipsis", "Exception"),
    }
)

_DANGEROUS_MODULES = frozenset(
    {
        *("builtins", "__builtin__"),
        *("os", "posix", "nt", "subprocess", "sys", "shutil", "socket", "ctypes", "runpy", "importlib", "imp", "pty"),
        *(
            "commands",
            "code",
            "codeop",
            "webbrowser",
            "platform",
            "timeit",
            "cProfile",
            "profile",
            "pdb",
            "bdb",
            "trace",
        ),
        *("asyncio", "multiprocessing", "threading", "signal", "http", "urllib", "ftplib", "smtplib", "telnetlib"),
        *("xmlrpc", "requests", "pickle", "_pickle", "marshal", "shelve", "tempfile", "pip", "ensurepip", "venv"),
        *("zipimport", "pkgutil", "pydoc", "doctest", "unittest", "linecache", "inspect", "ast", "gc", "site"),
        *("_posixsubprocess", "_osx_support", "distutils", "setuptools", "idlelib", "lib2to3", "bdb", "aifc"),
    }
)

_DANGEROUS_NAMES = frozenset(
    {
        *("operator.attrgetter", "operator.methodcaller", "operator.itemgetter", "_operator.attrgetter"),
        *("_operator.methodcaller", "functools.reduce", "functools.partial", "types.FunctionType", "types.CodeType"),
        *("torch.load", "torch.hub.load", "torch.serialization.load", "torch.jit.load", "torch.compile"),
        *("torch._dynamo.guards.GuardBuilder.get", "torch.utils.cpp_extension.load", "torch.ops.load_library"),
        *("numpy.load", "numpy.testing._private.utils.runstring", "numpy.f2py.compile", "joblib.load"),
        *("dill._dill._create_function", "dill._dill._create_code", "dill.loads", "dill.load"),
        *("cloudpickle.cloudpickle._make_function", "cloudpickle.cloudpickle._builtin_type"),
        *("cloudpickle.cloudpickle.subimport", "pandas.io.pickle.read_pickle", "logging.config.dictConfig"),
    }
)


def risk_of(symbol: str, allowed: Iterable[str] = ()) -> Risk:
    """Judge a class or a function that a pickle names.

    Args:
        symbol: Its dotted name.
        allowed: Globs of names that the reader trusts; they count as plain.
    """
    if symbol in _PLAIN or _PLAIN_PATTERN.fullmatch(symbol) or any(fnmatchcase(symbol, glob) for glob in allowed):
        return "plain"
    if symbol in _KNOWN or _KNOWN_PATTERN.fullmatch(symbol):
        return "known"
    module, _, name = symbol.rpartition(".")
    if module in ("builtins", "__builtin__"):
        return "known" if name in _HARMLESS_BUILTINS else "dangerous"
    parts = re.split(r"[.:]", symbol)
    hidden = parts if ":" in symbol else parts[:1]
    return "dangerous" if symbol in _DANGEROUS_NAMES or not _DANGEROUS_MODULES.isdisjoint(hidden) else "foreign"
