"""The parts of tuning of the pure core, called from Python."""

import ctypes
import glob
import os
import subprocess
import tempfile

import numpy

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
LOSSES = ['multiple_negatives_ranking', 'multiple_negatives_symmetric_ranking', 'cosine_similarity', 'cosent', 'angle',
          'triplet', 'contrastive', 'online_contrastive', 'softmax', 'mse']
OPTIMIZERS = ['adamw', 'sgd', 'adagrad', 'adafactor']
SCHEDULES = ['constant', 'linear', 'cosine']
pointer, size_t, double = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_double


class LossSettings(ctypes.Structure):
    _fields_ = [('kind', ctypes.c_int), ('scale', double), ('margin', double), ('distance', ctypes.c_int),
                ('labels', ctypes.c_int), ('chunk', ctypes.c_int), ('sizes', ctypes.c_int), ('dims', pointer),
                ('weights', pointer)]


class LossBatch(ctypes.Structure):
    _fields_ = [('rows', ctypes.c_int), ('dims', ctypes.c_int), ('columns', ctypes.c_int), ('embeddings', pointer),
                ('scores', pointer), ('labels', pointer), ('teacher', pointer), ('texts', pointer), ('head', pointer)]


class LossGradient(ctypes.Structure):
    _fields_ = [('embeddings', pointer), ('head', pointer)]


class OptimizerSettings(ctypes.Structure):
    _fields_ = [('kind', ctypes.c_int), ('learning_rate', double), ('weight_decay', double), ('beta1', double),
                ('beta2', double), ('epsilon', double), ('momentum', double), ('dampening', double),
                ('nesterov', ctypes.c_bool), ('rate_decay', double), ('initial_sum', double), ('beta2_decay', double),
                ('least_scale', double), ('least_square', double), ('clip', double)]


class OptimizerStep(ctypes.Structure):
    _fields_ = [('number', ctypes.c_int64), ('learning_rate', double), ('weight_decay', double),
                ('gradient_factor', double)]


def build(compiler='gcc', flags=('-O2',), shim=()):
    target = os.path.join(tempfile.mkdtemp(), 'tuning.so')
    sources = sorted(glob.glob(TOP + '/src/math/*.c') + glob.glob(TOP + '/src/network/*.c') + glob.glob(TOP + '/src/format/*.c'))
    subprocess.check_call([compiler, '-std=gnu11', '-shared', '-fPIC', '-w', *flags, '-I' + TOP + '/src', '-o', target,
                           *shim, *sources, '-lm', '-ldl'])
    library = ctypes.CDLL(target)
    library.loss_defaults.restype = LossSettings
    library.loss_defaults.argtypes = [ctypes.c_int]
    library.loss_complaint.restype = ctypes.c_char_p
    library.loss_scratch_bytes.restype = library.loss_head_floats.restype = size_t
    library.loss_scratch_bytes.argtypes = [pointer] + [ctypes.c_int] * 3
    library.loss_head_floats.argtypes = [pointer, ctypes.c_int]
    library.loss_compute.restype = ctypes.c_bool
    library.loss_compute.argtypes = [pointer] * 6
    library.loss_complaint.argtypes = [pointer] * 2
    library.optimizer_defaults.restype = OptimizerSettings
    library.optimizer_state_floats.restype = size_t
    library.optimizer_state_floats.argtypes = [pointer, ctypes.c_int, ctypes.c_int]
    library.optimizer_begin.argtypes = [pointer, ctypes.c_int, ctypes.c_int, pointer]
    library.optimizer_step.argtypes = [pointer, pointer, ctypes.c_int, ctypes.c_int, ctypes.c_bool] + [pointer] * 3
    library.optimizer_step_rows.argtypes = [pointer, pointer] + [ctypes.c_int] * 3 + [pointer] * 4
    library.optimizer_step_rows.restype = ctypes.c_bool
    library.gradient_square.restype = library.clip_factor.restype = library.schedule_factor.restype = double
    library.gradient_square.argtypes = [size_t, pointer]
    library.clip_factor.argtypes = [double, double]
    library.schedule_factor.argtypes = [ctypes.c_int] + [ctypes.c_int64] * 3
    library.product_init()
    return library


def aligned(count):
    """Bytes on 64."""
    whole = numpy.empty(count + 64, dtype=numpy.uint8)
    begin = -whole.ctypes.data % 64
    return whole[begin:begin + count]


def floats(values):
    return numpy.ascontiguousarray(values, dtype=numpy.float32)


def pointers(arrays):
    return (pointer * len(arrays))(*[a.ctypes.data for a in arrays])


def no_negatives(pairs):
    """Of each anchor (row) which positives are no negatives of it: equal to it or its own, or of an equal anchor"""
    return numpy.array([[i != j and (other in (anchor, positive) or its == anchor) for j, (its, other) in enumerate(pairs)]
                        for i, (anchor, positive) in enumerate(pairs)])


def loss(library, name, embeddings, options=(), scores=None, labels=None, teacher=None, head=None, sizes=None, weights=None):
    """The loss, gradients of each column, gradient of the head."""
    settings = library.loss_defaults(LOSSES.index(name))
    for key, value in dict(options).items():
        setattr(settings, key, value)
    embeddings = [floats(e) for e in embeddings]
    rows, dims = embeddings[0].shape
    gradients = [numpy.full_like(e, 7) for e in embeddings]
    kept = [embeddings, gradients]
    if sizes:
        kept += [numpy.array(sizes, dtype=numpy.int32), numpy.array(weights, dtype=numpy.float64)]
        settings.sizes, settings.dims, settings.weights = len(sizes), kept[-2].ctypes.data, kept[-1].ctypes.data
    batch = LossBatch(rows, dims, len(embeddings), ctypes.cast(pointers(embeddings), pointer))
    scores = None if scores is None else floats(scores)
    labels = None if labels is None else numpy.ascontiguousarray(labels, dtype=numpy.int32)
    head = None if head is None else floats(head)
    teacher = None if teacher is None else floats(teacher)
    head_gradient = None if head is None else numpy.full_like(head, 7)
    teachers = pointers([teacher] * len(embeddings)) if teacher is not None else None
    columns = pointers(embeddings)
    to = pointers(gradients)
    batch.embeddings = ctypes.cast(columns, pointer)
    batch.teacher = ctypes.cast(teachers, pointer) if teachers is not None else None
    for key, values in (('scores', scores), ('labels', labels), ('head', head)):
        setattr(batch, key, None if values is None else values.ctypes.data)
    gradient = LossGradient(ctypes.cast(to, pointer), None if head is None else head_gradient.ctypes.data)
    complaint = library.loss_complaint(ctypes.byref(settings), ctypes.byref(batch))
    assert complaint is None, complaint
    scratch = aligned(library.loss_scratch_bytes(ctypes.byref(settings), rows, dims, len(embeddings)))
    result = double()
    assert library.loss_compute(ctypes.byref(settings), ctypes.byref(batch), ctypes.byref(gradient), ctypes.byref(result),
                                scratch.ctypes.data, None)
    return result.value, gradients, head_gradient


class Optimizer:
    def __init__(self, library, name, options, rows, columns, is_vector):
        self.library = library
        self.settings = library.optimizer_defaults(OPTIMIZERS.index(name))
        for key, value in options.items():
            setattr(self.settings, key, value)
        self.shape = rows, columns
        self.is_vector = is_vector
        self.state = numpy.empty(library.optimizer_state_floats(ctypes.byref(self.settings), rows, columns),
                                 dtype=numpy.float32)
        library.optimizer_begin(ctypes.byref(self.settings), rows, columns, self.state.ctypes.data)

    def step(self, number, rate, weights, gradient, most=0):
        gradient = floats(gradient)
        self.norm = self.library.gradient_square(gradient.size, gradient.ctypes.data) ** .5
        step = OptimizerStep(number, rate, self.settings.weight_decay, self.library.clip_factor(self.norm, most))
        self.library.optimizer_step(ctypes.byref(self.settings), ctypes.byref(step), *self.shape, self.is_vector,
                                    gradient.ctypes.data, weights.ctypes.data, self.state.ctypes.data)

    def step_rows(self, number, rate, weights, rows, gradient):
        step = OptimizerStep(number, rate, self.settings.weight_decay, 1)
        rows = numpy.ascontiguousarray(rows, dtype=numpy.int32)
        gradient = floats(gradient)
        assert self.library.optimizer_step_rows(ctypes.byref(self.settings), ctypes.byref(step), *self.shape, len(rows),
                                                rows.ctypes.data, gradient.ctypes.data, weights.ctypes.data,
                                                self.state.ctypes.data)


def schedule(library, kind, done, warmup, total):
    return library.schedule_factor(SCHEDULES.index(kind), done, warmup, total)


# ---------- the trainer ----------

SHIM = os.path.join(TOP, 'test/oracle/lib/trainer_shim.c')
POOLINGS = ['none', 'cls', 'mean', 'max', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken']


class Refused(Exception):
    pass


def build_trainer(flags=('-O2',)):
    library = build(flags=flags, shim=(SHIM,))
    library.tune_begin.restype = pointer
    library.tune_message.restype = ctypes.c_char_p
    library.tune_memory.restype = library.tune_gradient_square.restype = double
    library.tune_number.argtypes = [pointer, ctypes.c_char_p, double]
    library.tune_text.argtypes = [pointer, ctypes.c_char_p, ctypes.c_char_p]
    library.tune_plan.argtypes = [pointer, ctypes.c_int, pointer, ctypes.c_int, double, ctypes.c_int, ctypes.c_int]
    library.tune_tensor.argtypes = [pointer, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, pointer, pointer]
    library.tune_memory.argtypes = [pointer, size_t, ctypes.c_int, ctypes.c_int, double]
    library.tune_forward.argtypes = [pointer, ctypes.c_int] + [pointer] * 3 + [ctypes.c_int, pointer]
    library.tune_backward.argtypes = [pointer, pointer]
    library.tune_step.argtypes = [pointer, double, double]
    library.tune_adapter.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int, ctypes.c_int, pointer, pointer]
    for name in 'tune_end', 'tune_message', 'tune_gradient_square', 'tune_merge':
        getattr(library, name).argtypes = [pointer]
    return library


class Trainer:
    """A model of the transformers package in our trainer."""

    def __init__(self, library, config, tensors, mode='full', rank=8, alpha=16, targets=('query', 'value'), dropout=0,
                 attention_dropout=0, seed=0, frozen=False, optimizer='adamw', weight_decay=.01, pooling='mean',
                 normalize=False):
        from transformer_core import entries
        self.library = library
        self.shim = library.tune_begin(config['model_type'].encode())
        self.hidden = config.get('hidden_size', config.get('dim'))
        for key, value in entries(config):
            if isinstance(value, str):
                library.tune_text(self.shim, key.encode(), value.encode())
            else:
                library.tune_number(self.shim, key.encode(), float(value))
        bits = 0
        for target in targets:
            bits |= library.tune_target(target.encode())
        numbers = numpy.array([rank, alpha, bits, dropout, attention_dropout, seed, frozen], dtype=numpy.float64)
        if library.tune_plan(self.shim, mode == 'low_rank', numbers.ctypes.data, OPTIMIZERS.index(optimizer),
                             weight_decay, POOLINGS.index(pooling), normalize):
            raise Refused(library.tune_message(self.shim).decode())
        for name, values in tensors.items():
            if self.tensor(0, name, floats(values)) < 0:
                raise Refused('tensor %s' % name)

    def __del__(self):
        self.library.tune_end(self.shim)

    def tensor(self, what, name, values):
        shape = numpy.array(values.shape, dtype=numpy.int64)
        return self.library.tune_tensor(self.shim, what, name.encode(), values.ndim, shape.ctypes.data, values.ctypes.data)

    def weights(self, name, shape):
        values = numpy.zeros(shape, dtype=numpy.float32)
        return values if self.tensor(1, name, values) > 0 else None

    def gradient(self, name, shape):
        values = numpy.zeros(shape, dtype=numpy.float32)
        return values if self.tensor(2, name, values) > 0 else None

    def start(self, tokens, texts, longest, share=1):
        return self.library.tune_memory(self.shim, tokens, texts, longest, share)

    def forward(self, texts, types=None, training=True):
        self.ids = numpy.concatenate([numpy.asarray(t, dtype=numpy.int32) for t in texts])
        self.offsets = numpy.cumsum([0] + [len(t) for t in texts]).astype(numpy.uint64)
        self.types = None if types is None else numpy.concatenate([numpy.asarray(t, dtype=numpy.uint8) for t in types])
        to = numpy.empty((len(texts), self.hidden), dtype=numpy.float32)
        status = self.library.tune_forward(self.shim, len(texts), self.ids.ctypes.data, self.offsets.ctypes.data,
                                           None if types is None else self.types.ctypes.data, training, to.ctypes.data)
        assert status == 0, status
        return to

    def backward(self, gradients):
        gradients = floats(gradients)
        assert self.library.tune_backward(self.shim, gradients.ctypes.data) == 0

    def step(self, rate, most=0):
        norm = self.library.tune_gradient_square(self.shim) ** .5
        self.library.tune_step(self.shim, rate, self.library.clip_factor(norm, most))
        return norm

    def adapter(self, target, layer, a=None, b=None, shape=None, rank=8):
        write = a is not None
        a = floats(a) if write else numpy.empty((rank, shape[1]), dtype=numpy.float32)
        b = floats(b) if write else numpy.empty((shape[0], rank), dtype=numpy.float32)
        assert self.library.tune_adapter(self.shim, target.encode(), layer, write, a.ctypes.data, b.ctypes.data)
        return a, b

    def merge(self):
        self.library.tune_merge(self.shim)
