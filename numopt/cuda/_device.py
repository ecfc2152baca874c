"""The device: whether there is one, what is missing if not, its memory, how many threads it holds at a time."""

import importlib
import importlib.util
import os

import numpy as np

_SMALLEST = 2**20  # bytes that are left alone, whatever is free
_SHARE = 0.8  # of the free memory is what a batch may take
_REGISTERS, _THREADS = 65536, 1024  # of a multiprocessor, where the device does not say


def simulated():
    """Whether Numba's simulator stands in for a device (``NUMBA_ENABLE_CUDASIM=1``)."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def why_not():
    """What keeps batches from a CUDA device.

    Returns
    -------
    str or None
        One line that says what is missing; None where a device can be used.

    Examples
    --------
    >>> import numopt.cuda
    >>> numopt.cuda.available() == (numopt.cuda.why_not() is None)
    True
    """
    if simulated():
        return None
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda is not installed: pip install numopt-jit[cuda]"
    try:
        from numba import cuda

        if cuda.is_available():
            return _unfit()
        cuda.current_context()
        return "Numba finds no usable CUDA device"
    except Exception as error:  # whatever is wrong with drivers and libraries, it is no reason to stop
        text = " ".join(str(error).split()).rstrip(" :")
        if "cannot be found" in text or "libcuda" in text:
            return "no NVIDIA driver: the CUDA driver library was not found"
        if "NO_DEVICE" in text or "no CUDA-capable device" in text:
            return "the NVIDIA driver finds no CUDA device"
        return f"the CUDA device can't be used: {text or type(error).__name__}"


def _unfit():
    """Why numba-cuda does not compile with this NumPy, if so: 0.30 asks 2.5 for names that are gone."""
    try:
        importlib.import_module("numba.cuda.np.arrayobj")
    except AttributeError as error:
        return f"this numba-cuda does not work with NumPy {np.__version__} ({error}): take an earlier NumPy"
    except ImportError:  # it keeps such things elsewhere
        return None
    return None


def available():
    """Whether batches can run on a CUDA device.

    Returns
    -------
    bool
    """
    return why_not() is None


def resolve(device):
    """Where a batch runs.

    Parameters
    ----------
    device : {'cpu', 'cuda', 'auto'}
        ``'auto'`` is the CUDA device where there is one that can be used, else the CPU.

    Returns
    -------
    {'cpu', 'cuda'}

    Raises
    ------
    ValueError
        For another word.
    RuntimeError
        For ``'cuda'`` where there is no device that can be used, with what is missing.

    Examples
    --------
    >>> import numopt.cuda
    >>> numopt.cuda.resolve('cpu')
    'cpu'
    """
    if device not in ("cpu", "cuda", "auto"):
        raise ValueError(f"device must be 'cpu', 'cuda' or 'auto'; got {device!r}")
    if device == "cpu":
        return "cpu"
    missing = why_not()
    if missing is None:
        return "cuda"
    if device == "auto":
        return "cpu"
    raise RuntimeError(f"device='cuda' can't be used: {missing}; device='cpu' does the same")


def name():
    """The device's name and compute capability, in words.

    Returns
    -------
    str
    """
    if simulated():
        return "Numba's CUDA simulator"
    from numba import cuda

    device = cuda.get_current_device()
    text = device.name.decode() if isinstance(device.name, bytes) else device.name
    return f"{text}, compute capability {'.'.join(map(str, device.compute_capability))}"


def budget():
    """Bytes that a batch may take."""
    if simulated():
        return 2**28
    from numba import cuda

    return max(0, int(_SHARE * cuda.current_context().get_memory_info().free) - _SMALLEST)


def block():
    """Threads of a block: few, for kernels that take many registers."""
    return 4 if simulated() else 64


def empty(shape, dtype):
    """An array on the device."""
    from numba import cuda

    return cuda.device_array(shape, dtype)


def adopt(array):
    """An array that lies on the device already (CuPy's, or whatever has ``__cuda_array_interface__``), as Numba's."""
    from numba import cuda

    return np.asarray(array) if simulated() else cuda.as_cuda_array(array)


def page_locked(shape, dtype):
    """An array on the host that the device can reach by itself; an ordinary one where there are no more of those."""
    from numba import cuda

    try:
        return cuda.pinned_array(shape, dtype)
    except Exception as error:
        if not out_of_memory(error):
            raise
        return np.empty(shape, dtype)


def plain(data):
    """What a kernel is called with: in the simulator, where wrapped arrays are slow, the arrays within."""
    if not simulated():
        return data
    return tuple(plain(a) if isinstance(a, tuple) else getattr(a, "_ary", a) for a in data)


def compile(kernel, signature, fun):
    """Compile a kernel for the device; TypeError in one line where the user's function can't be."""
    if simulated():
        return
    from numopt.cuda._compiling import small_code

    try:
        with small_code():
            kernel.compile(signature)
    except Exception as error:
        raise TypeError(reason(error, fun)) from None


_REASONS = ("No implementation", "Invalid use", "Unknown attribute", "Untyped global", "Cannot ", "NameError")
_OURS = ("function call_", "function evaluate", "function run_search")  # what the solvers call the user's function by


def reason(error, fun):
    """Why a function can't be compiled for the device, in one line."""
    lines = [line.strip().removeprefix("TypingError: ") for line in str(error).splitlines()]
    found = [line for line in lines if line.startswith(_REASONS) and not any(name in line for name in _OURS)]
    text = next(iter(found or filter(None, lines)), type(error).__name__)
    text = text.removesuffix(" found for signature:")
    if "NRT" in str(error) or any(f"function {name}" in text for name in ("zeros", "empty", "ones", "full")):
        text = "it makes new arrays (results of array expressions are such), and there is no memory for them there"
    if isinstance(error, KeyError) and isinstance(next(iter(error.args), None), np.ufunc):
        text = f"there is no np.{error.args[0].__name__} there"
    name = getattr(fun, "__name__", "fun")
    return f"{name} can't be compiled for the CUDA device: {text}; device='cpu' would do"


def resident(kernel):
    """How many threads of a kernel, which has been compiled, the device holds at a time."""
    if simulated():
        return 4
    from numba import cuda

    device = cuda.get_current_device()
    found = kernel.get_regs_per_thread()  # of each signature that it has been compiled for
    registers = max(16, 8 * -(-max(found.values() if isinstance(found, dict) else [found]) // 8))
    a_multiprocessor = min(
        getattr(device, "MAX_REGISTERS_PER_MULTIPROCESSOR", _REGISTERS) // registers,
        getattr(device, "MAX_THREADS_PER_MULTIPROCESSOR", _THREADS),
    )
    return device.MULTIPROCESSOR_COUNT * max(block(), a_multiprocessor // block() * block())


def out_of_memory(error):
    """Whether an exception says that the device has no memory left."""
    return isinstance(error, MemoryError) or "OUT_OF_MEMORY" in str(error)
