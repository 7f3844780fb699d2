"""What reading a file in full would run, judged by the classes and functions that its pickles name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Literal

from pytest_ckpt.inspection.rebuilt_tensors import ITEM_SIZES
from pytest_ckpt.inspection.unpickling import UNKNOWN

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
        *("torch.storage._load_from_bytes", "torch.torch_version.TorchVersion", "functools.partial"),
        *("io.BytesIO", "_io.BytesIO", "dill._dill._create_array"),
        "torch.nested._internal.nested_tensor._rebuild_njt",
        "torch.distributed.checkpoint.filesystem._StorageInfo",
    }
)

_KNOWN_PATTERN = re.compile(
    r"datetime\.(date|datetime|time|timedelta|timezone)|pathlib(\._local)?\.(Pure)?(Posix|Windows)?Path"
    r"|numpy\.(_core|core)\.multiarray\.(_reconstruct|scalar)|numpy\.(_core|core)\.numeric\._frombuffer"
    r"|numpy\.random\.\w+\.(__\w+_ctor|[A-Z]\w+)"
    r"|torch\.(nn\.modules|optim|amp|cuda\.amp)\.\w+\.[A-Z]\w*"
    r"|torch\.jit\._pickle\.\w+|__torch__\..*"  # in TorchScript, whose classes no Python can import
    r"|torch\.distributed\.(tensor(\.\w+)?|device_mesh|_mesh_layout)\.[A-Z_]\w*"
    r"|torch\.distributed\.checkpoint\.metadata\.[A-Z_]\w*"
)

_HARMLESS_BUILTINS = frozenset(
    {
        *("bool", "bytes", "dict", "float", "frozenset", "int", "list", "object", "range", "slice", "str", "tuple"),
        *("NotImplemented", "Ellipsis", "Exception", "long", "unicode"),
    }
)

_DANGEROUS_MODULES = frozenset(
    {
        # Commands, processes and the system.
        *("os", "posix", "nt", "subprocess", "_posixsubprocess", "sys", "shutil", "pty", "signal", "resource"),
        *("commands", "popen2", "platform", "ctypes", "_ctypes", "multiprocessing", "_multiprocessing"),
        *("threading", "_thread", "concurrent", "asyncio", "pexpect", "sh", "plumbum", "fabric", "paramiko"),
        "psutil",
        # Code out of text or bytes, and names out of text.
        *("builtins", "__builtin__", "code", "codeop", "runpy", "imp", "importlib", "_frozen_importlib"),
        *("_frozen_importlib_external", "zipimport", "pkgutil", "marshal", "types", "inspect", "ast", "dis"),
        *("compileall", "py_compile", "pyclbr", "modulefinder", "gc", "site", "sysconfig", "atexit", "timeit"),
        *("cProfile", "profile", "pstats", "pdb", "bdb", "trace", "doctest", "unittest", "test", "pydoc"),
        *("idlelib", "lib2to3", "turtledemo", "_pyrepl", "_osx_support", "_aix_support", "numexpr", "jinja2"),
        # Other pickles.
        *("pickle", "_pickle", "cPickle", "shelve", "dbm", "dill", "cloudpickle", "joblib", "jsonpickle"),
        "yaml",
        # Files and the network.
        *("io", "_io", "tempfile", "fileinput", "linecache", "zipfile", "tarfile", "sqlite3", "webbrowser"),
        *("antigravity", "socket", "_socket", "socketserver", "ssl", "_ssl", "http", "urllib", "urllib2"),
        *("httplib", "ftplib", "smtplib", "poplib", "imaplib", "nntplib", "telnetlib", "xmlrpc", "wsgiref"),
        *("requests", "httpx", "aiohttp", "urllib3"),
        # Packages that install and build.
        *("pip", "ensurepip", "venv", "distutils", "setuptools", "pkg_resources"),
    }
)

_DANGEROUS_PREFIXES = (
    *("operator.attrgetter", "operator.methodcaller", "_operator.attrgetter", "_operator.methodcaller"),
    *("functools.reduce", "functools.cached_property", "_functools.reduce", "itertools.starmap", "weakref.finalize"),
    *("logging.config", "logging.FileHandler", "uuid._", "string.Formatter", "contextlib."),
    *(
        "torch.load",
        "torch.save",
        "torch.hub",
        "torch.jit",
        "torch.package",
        "torch.compile",
        "torch.serialization.load",
    ),
    *("torch.ops", "torch.classes", "torch.utils", "torch._dynamo", "torch._inductor", "torch.fx", "torch.testing"),
    *("torch.distributed.rpc", "torch.distributed.launch", "torch.distributed.run", "torch.distributed.elastic"),
    *("torch.multiprocessing", "torch.library", "torch._C", "torch.onnx", "torch.export"),
    *("numpy.load", "numpy.save", "numpy.fromfile", "numpy.memmap", "numpy.testing", "numpy.f2py", "numpy.distutils"),
    *("numpy.ctypeslib", "numpy.core.memmap", "numpy._core.memmap", "numpy.lib"),
    *("pandas.io", "pandas.read_pickle", "pandas.eval", "sympy.parsing", "sympy.sympify", "sympy.core.sympify"),
)
"""By module or name, with everything below; what is known to be data of one of them stands in the lists above."""


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
    # Behind a colon stands a name inside another one, which may be a module or lead to one.
    leads = not _DANGEROUS_MODULES.isdisjoint(parts if ":" in symbol else parts[:1])
    below = any(
        f"{symbol}.".startswith(prefix if prefix[-1] in "._" else f"{prefix}.") for prefix in _DANGEROUS_PREFIXES
    )
    hidden = ":" in symbol and any(part.startswith("__") for part in parts)
    return "dangerous" if leads or below or hidden or symbol == UNKNOWN else "foreign"
