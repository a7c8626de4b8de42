"""NumPy and PyTorch, timed on request: one JSON request per line in, one answer per line out.

The requests are those of protocol.ts; one process holds all three peers, so that each can be asked in turn.
"""

import base64
import importlib
import json
import sys
import time

STEPS = (40503, 30011)  # as in workloads.ts
SAMPLE = 2**20


def input_array(length, dtype, which):
    """The numbers of workloads.ts: one period of 65536, repeated."""
    period = ((np.arange(65536) * STEPS[which]) % 65536 + 0.5) / 65536 - 0.5
    return np.resize(period.astype(dtype), length)


class Given:
    """A workload and its inputs."""

    def __init__(self, workload):
        self.operation = workload["operation"]
        self.shape = workload["shape"]
        self.dtype = np.dtype(workload["dtype"])
        self.p = workload["p"]
        if self.operation == "matmul":
            n, k, m = self.shape
            self.x = input_array(n * k, self.dtype, 0).reshape(n, k)
            self.y = input_array(k * m, self.dtype, 1).reshape(k, m)
            return
        size = int(np.prod(self.shape))
        self.x = input_array(size, self.dtype, 0).reshape(self.shape)
        if self.operation.startswith("batch norm"):
            channels = self.shape[1]
            self.y = input_array(size, self.dtype, 1).reshape(self.shape)
            self.weight = 1 + input_array(channels, self.dtype, 0)
            self.bias = input_array(channels, self.dtype, 1)


# ---- NumPy as the article uses it ----


def article_forward(given):
    x, p = given.x, given.p

    def run():
        mask = np.random.binomial(1, 1 - p, size=x.shape) / (1 - p)
        return x * mask

    return run


def article_backward(given):
    grad_output, p = given.x, given.p
    mask = np.random.binomial(1, 1 - p, size=grad_output.shape)
    scale = 1 / (1 - p)
    return lambda: grad_output * mask * scale


def article_batch_norm(given):
    x, gamma, beta = given.x, given.weight, given.bias

    def run():
        mean = x.mean(axis=0)
        var = x.var(axis=0)
        return gamma * ((x - mean) / np.sqrt(var + 1e-5)) + beta

    return run


# ---- NumPy at its best: no memory allocated, no type wider than needed ----


def best_forward(given):
    x, p = given.x, given.p
    rng = np.random.Generator(np.random.SFC64(1))  # the fastest of NumPy's bit generators
    uniform, kept, out = np.empty_like(x), np.empty(x.shape, bool), np.empty_like(x)
    scale = x.dtype.type(1 / (1 - p))

    def run():
        rng.random(dtype=x.dtype, out=uniform)
        np.greater_equal(uniform, p, out=kept)
        np.multiply(kept, scale, out=out)  # faster than x * scale * kept, and much faster than where=kept
        return np.multiply(x, out, out=out)

    return run


def best_backward(given):
    grad_output, p = given.x, given.p
    kept = np.random.default_rng(1).random(grad_output.shape, dtype=grad_output.dtype) >= p
    out = np.empty_like(grad_output)
    scale = grad_output.dtype.type(1 / (1 - p))

    def run():
        np.multiply(kept, scale, out=out)
        return np.multiply(grad_output, out, out=out)

    return run


def best_normalize(given):
    x, gamma, beta = given.x, given.weight, given.bias
    n = x.dtype.type(len(x))
    normalized, squares, out = np.empty_like(x), np.empty_like(x), np.empty_like(x)

    def run():
        np.subtract(x, x.sum(axis=0) / n, out=normalized)
        np.multiply(normalized, normalized, out=squares)
        inverse = 1 / np.sqrt(squares.sum(axis=0) / n + x.dtype.type(1e-5))
        np.multiply(normalized, inverse, out=normalized)
        np.multiply(normalized, gamma, out=out)
        np.add(out, beta, out=out)
        return out, normalized, inverse

    return run


def best_batch_norm(given):
    normalize = best_normalize(given)
    return lambda: normalize()[0]


def best_batch_norm_both(given):
    grad_output = given.y
    n = grad_output.dtype.type(len(grad_output))
    normalize = best_normalize(given)
    product, out = np.empty_like(grad_output), np.empty_like(grad_output)

    def run():
        _, normalized, inverse = normalize()
        grad_bias = grad_output.sum(axis=0)
        np.multiply(grad_output, normalized, out=product)
        grad_weight = product.sum(axis=0)
        np.multiply(normalized, grad_weight / n, out=product)
        np.subtract(grad_output, product, out=out)
        np.subtract(out, grad_bias / n, out=out)
        return np.multiply(out, given.weight * inverse, out=out)

    return run


def best_matmul(given):
    out = np.empty((given.x.shape[0], given.y.shape[1]), given.dtype)
    return lambda: np.matmul(given.x, given.y, out=out)


# ---- PyTorch, without its bookkeeping for gradients where that is not needed ----


def torch_forward(given):
    x = torch.from_numpy(given.x)
    return lambda: torch.nn.functional.dropout(x, given.p, training=True)


def torch_backward(given):
    """On a CPU its autograd multiplies with the scaled mask that the forward pass kept; faster than
    native_dropout_backward, which the CPU's F.dropout does not use."""
    grad_output = torch.from_numpy(given.x)
    scaled_mask = torch.nn.functional.dropout(torch.ones_like(grad_output), given.p, training=True)
    out = torch.empty_like(grad_output)
    return lambda: torch.mul(grad_output, scaled_mask, out=out)


def torch_batch_norm(given):
    x, weight, bias = (torch.from_numpy(a) for a in (given.x, given.weight, given.bias))
    return lambda: torch.native_batch_norm(x, weight, bias, None, None, True, 0.1, 1e-5)[0]


def torch_batch_norm_both(given):
    x, grad_output, weight, bias = (torch.from_numpy(a) for a in (given.x, given.y, given.weight, given.bias))
    backward = torch.ops.aten.native_batch_norm_backward

    def run():
        _, mean, inverse = torch.native_batch_norm(x, weight, bias, None, None, True, 0.1, 1e-5)
        needed = [True, True, True]
        return backward(grad_output, x, weight, None, None, mean, inverse, True, 1e-5, needed)[0]

    return run


def torch_matmul(given):
    a, b = torch.from_numpy(given.x), torch.from_numpy(given.y)
    out = torch.empty((a.shape[0], b.shape[1]), dtype=a.dtype)
    return lambda: torch.matmul(a, b, out=out)


# ---- PyTorch as people type it first: modules, with gradients ----


def module_batch_norm(given, with_backward):
    x, grad_output = (torch.from_numpy(a) for a in (given.x, given.y))
    norm = torch.nn.BatchNorm1d(given.shape[1], dtype=x.dtype)
    with torch.no_grad():
        norm.weight.copy_(torch.from_numpy(given.weight))
        norm.bias.copy_(torch.from_numpy(given.bias))
    x.requires_grad_(with_backward)

    def run():
        with torch.enable_grad():
            y = norm(x)
        if not with_backward:
            return y.detach()
        x.grad = None
        y.backward(grad_output)
        return x.grad

    return run


def module_training_step(given):
    nn = torch.nn
    torch.manual_seed(1)
    first = [nn.Dropout(0.2), nn.Linear(given.shape[1], 256), nn.ReLU()]
    second = [nn.Dropout(0.5), nn.Linear(256, 256), nn.ReLU()]
    model = nn.Sequential(*first, *second, nn.Dropout(0.5), nn.Linear(256, 10))
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.from_numpy(given.x)
    classes = torch.arange(len(x)) % 10

    def run():
        with torch.enable_grad():
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), classes)
            loss.backward()
            optimizer.step()
        return loss.detach()

    return run


PEERS = {
    "numpy article": {
        "module": "numpy",
        "lacks": "is not in the article",
        "dropout forward": article_forward,
        "dropout backward": article_backward,
        "batch norm forward": article_batch_norm,
    },
    "numpy best": {
        "module": "numpy",
        "dropout forward": best_forward,
        "dropout backward": best_backward,
        "batch norm forward": best_batch_norm,
        "batch norm forward + backward": best_batch_norm_both,
        "matmul": best_matmul,
    },
    "torch": {
        "module": "torch",
        "dropout forward": torch_forward,
        "dropout backward": torch_backward,
        "batch norm forward": torch_batch_norm,
        "batch norm forward + backward": torch_batch_norm_both,
        "matmul": torch_matmul,
    },
    "torch, as typed": {
        "module": "torch",
        "lacks": "is the same as torch",
        "batch norm forward": lambda given: module_batch_norm(given, False),
        "batch norm forward + backward": lambda given: module_batch_norm(given, True),
        "training step": module_training_step,
    },
}


# ---- Answers ----


def load(name):
    """A module, or None and why not."""
    try:
        return importlib.import_module(name), None
    except Exception as error:  # whatever keeps it from being imported
        return None, f"Python cannot import {name}: {error}"


np, np_missing = load("numpy")
torch, torch_missing = load("torch")
MISSING = {"numpy": np_missing, "torch": torch_missing or np_missing}
if torch is not None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)

prepared = {}


def versions_of(peer):
    module = torch if PEERS[peer]["module"] == "torch" else np
    name = "PyTorch" if module is torch else "NumPy"
    return {name: module.__version__, "Python": sys.version.split()[0]}


def sample_of(output, dtype):
    flat = np.asarray(output).reshape(-1)
    stride = -(-len(flat) // SAMPLE)
    return base64.b64encode(np.ascontiguousarray(flat[::stride], dtype=dtype).tobytes()).decode()


def answer(request):
    peer = request["peer"]
    missing = MISSING[PEERS[peer]["module"]]
    if missing:
        return {"missing": missing}
    if request["do"] == "versions":
        return {"versions": versions_of(peer)}
    if request["do"] == "prepare":
        prepared.pop(peer, None)
        workload = request["workload"]
        prepare = PEERS[peer].get(workload["operation"])
        if prepare is None:
            return {"missing": PEERS[peer].get("lacks", "does not offer it")}
        prepared[peer] = prepare(Given(workload))
        return {"sample": sample_of(prepared[peer](), workload["dtype"])}
    if request["do"] == "forget":
        prepared.pop(peer, None)
        return {}
    return {"ns": time_call(prepared[peer], request["iterations"])}


def time_call(run, iterations):
    """Nanoseconds per call."""
    start = time.perf_counter_ns()
    for _ in range(iterations):
        run()
    return (time.perf_counter_ns() - start) / iterations


# Standard output is for answers; what a package has to say goes where errors go.
answers, sys.stdout = sys.stdout, sys.stderr

for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:
        reply = {"missing": f"{type(error).__name__}: {error}".split("\n")[0]}
    print(json.dumps(reply), file=answers, flush=True)
