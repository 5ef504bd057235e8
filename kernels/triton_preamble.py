"""The functions that stand above a Triton kernel: such as Triton has not, or only roughly.

They are made of operations that round once, so that they give the same bits compiled and
interpreted.
"""

from collections.abc import Iterable

__all__ = ["preamble"]


def preamble(names: Iterable[str], double: bool) -> str:
    """The functions of these names, after those that they call.

    Arguments:
        names: Names of functions.
        double: Whether arithmetic is float64.
    """
    table = _COMMON | (_DOUBLE if double else _SINGLE)
    wanted = dict.fromkeys(need for name in names for need in (*_CALLED.get(name, ()), name))
    return "\n".join(table[name] for name in wanted)


_CALLED = {
    "sigmoid_": ("exp_", "divide_"),
    "near_sigmoid_": ("near_exp_", "divide_"),
    "tanh_": ("exp_", "divide_"),
}

_COMMON = {
    "relu_": """
@jit
def relu_(x):
    return tl.where(x <= 0.0, 0.0, x)
""",
    "sign_": """
@jit
def sign_(x):
    return tl.cast(x > 0.0, x.dtype) - tl.cast(x < 0.0, x.dtype)
""",
    "sigmoid_": """
@jit
def sigmoid_(x):
    return divide_(1.0, 1.0 + exp_(-x))
""",
    "near_sigmoid_": """
@jit
def near_sigmoid_(x):
    return divide_(1.0, 1.0 + near_exp_(-x))
""",
    # What is kept in 16 bits: they would make some finite numbers infinite.
    "storable_": """
@jit
def storable_(x, MOST: tl.constexpr):
    return tl.where(tl.abs(x) <= 3.4028234663852886e38, tl.clamp(x, -MOST, MOST), x)
""",
}

_SINGLE = {
    # Triton's own / and sqrt are approximate.
    "divide_": """
@jit
def divide_(x, y):
    return tl.div_rn(x, y)
""",
    "sqrt_": """
@jit
def sqrt_(x):
    return tl.sqrt_rn(x)
""",
    # Triton's own is approximate: its error grows with x, to 50 units in the last place at 88.
    # This one is within 2 units, subnormal results too, and equal to that of the C++ kernels.
    "exp_": """
@jit
def exp_(x):
    low = tl.where(x < -104.0, -104.0, x)
    z = tl.where(low > 89.0, 89.0, low)
    # x = n log 2 + r; adding 1.5 * 2^23 rounds to the integer n, which its low bits then are.
    shifted = z * 1.44269504 + 12582912.0
    n = shifted - 12582912.0
    whole = shifted.to(tl.int32, bitcast=True) - 0x4B400000
    half = whole >> 1
    r = (z - n * 0.693359375) + n * 2.12194440e-4
    y = r * 1.9875691500e-4 + 1.3981999507e-3
    y = y * r + 8.3334519073e-3
    y = y * r + 4.1665795894e-2
    y = y * r + 1.6666665459e-1
    y = y * r + 5.0000001201e-1
    y = (y * r) * r + r + 1.0
    # 2^n in two factors: it may lie outside of what a float holds where the result does not.
    a = ((half + 127) << 23).to(tl.float32, bitcast=True)
    b = ((whole - half + 127) << 23).to(tl.float32, bitcast=True)
    return tl.where(x == x, (y * a) * b, x)
""",
    # For gradients: within 4 units in the last place. The device's own exp2, which is within 2,
    # of x log2 e, and a factor for what that product lost. Half of the operations of exp_.
    "near_exp_": """
@jit
def near_exp_(x):
    z = tl.clamp(x, -104.0, 89.0)
    power = z * 1.44269502
    lost = tl.fma(z, 1.92596303e-8, tl.fma(z, 1.44269502, -power)) * 0.693147181
    y = tl.exp2(power)
    return tl.where(x == x, y * (1.0 + lost), x)
""",
    # Within 2 units in the last place; a polynomial near 0, where 1 - 2 / (..) cancels.
    "tanh_": """
@jit
def tanh_(x):
    z = x * x
    y = z * -5.70498872745e-3 + 2.06390887954e-2
    y = y * z - 5.37397155531e-2
    y = y * z + 1.33314422036e-1
    y = y * z - 3.33332819422e-1
    near = x + x * (z * y)
    far = 1.0 - divide_(2.0, exp_(tl.abs(x) * 2.0) + 1.0)
    return tl.where(tl.abs(x) < 0.625, near, tl.where(x < 0.0, -far, far))
""",
    "round_": """
@jit
def round_(x):
    up = (tl.abs(x) + 8388608.0) - 8388608.0
    whole = (x == 0.0) | ~(tl.abs(x) < 8388608.0)
    return tl.where(whole, x, tl.where(x < 0.0, -1.0 * up, up))
""",
}

_DOUBLE = {
    "divide_": """
@jit
def divide_(x, y):
    return x / y
""",
    "sqrt_": """
@jit
def sqrt_(x):
    return tl.sqrt(x)
""",
    "exp_": """
@jit
def exp_(x):
    return tl.exp(x)
""",
    "near_exp_": """
@jit
def near_exp_(x):
    return tl.exp(x)
""",
    "tanh_": """
@jit
def tanh_(x):
    z = x * x
    p = (z * -9.64399179425052238628e-1 - 9.92877231001918586564e1) * z - 1.61468768441708447952e3
    q = (z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3
    q = q * z + 4.84406305325125486048e3
    near = x + x * (z * (p / q))
    far = 1.0 - 2.0 / (tl.exp(tl.abs(x) * 2.0) + 1.0)
    return tl.where(tl.abs(x) < 0.625, near, tl.where(x < 0.0, -far, far))
""",
    "round_": """
@jit
def round_(x):
    up = (tl.abs(x) + 4503599627370496.0) - 4503599627370496.0
    whole = (x == 0.0) | ~(tl.abs(x) < 4503599627370496.0)
    return tl.where(whole, x, tl.where(x < 0.0, -1.0 * up, up))
""",
}
