"""If this fails, tuning's losses or optimizers are not those of the public implementations.

Losses: sentence-transformers' own classes on random batches, loss and gradient
with respect to the embeddings within 1e-5 (relative to the largest).
Optimizers: PyTorch's for 100 steps within 1e-5; schedules: transformers'.

Wants an environment with torch, transformers and sentence-transformers:
EMBED_TORCH names its python, else the python at hand is tried."""

import os
import sys

if os.environ.get('EMBED_TORCH') and not os.environ.get('EMBED_TORCH_TRIED'):
    os.environ['EMBED_TORCH_TRIED'] = '1'
    os.execv(os.environ['EMBED_TORCH'], [os.environ['EMBED_TORCH']] + sys.argv)

os.environ['HF_HUB_OFFLINE'] = '1'
os.environ['TRANSFORMERS_VERBOSITY'] = 'error'
try:
    import numpy
    import torch
    import transformers
    import sentence_transformers
except ImportError as missing:
    print('the package %s is missing: set EMBED_TORCH to a python that has torch and sentence-transformers' % missing.name)
    sys.exit(77)

import ctypes
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import tuning_core as core

warnings.simplefilter('ignore')
torch.set_num_threads(1)
seed = int(os.environ.get('EMBED_SEED', 23))
print('seed', seed)
torch.manual_seed(seed)
library = core.build()
failures = 0


def check(name, worst, most):
    global failures
    good = worst < most
    failures += not good
    if not good or os.environ.get('EMBED_VERBOSE'):
        print('%-8s %s differs by %.1e' % ('ok' if good else 'FAILED', name, worst), flush=True)


def difference(got, want):
    want = want.detach().numpy() if isinstance(want, torch.Tensor) else numpy.asarray(want)
    return abs(numpy.asarray(got) - want).max() / max(abs(want).max(), 1e-12)


# ---------- losses ----------

class Given(torch.nn.Module):
    """A model whose embeddings are given."""

    def __init__(self, dims):
        super().__init__()
        self.dims = dims
        self.device = torch.device('cpu')

    def forward(self, features, *arguments, **named):
        return {'sentence_embedding': features['x']}

    def __getitem__(self, module):
        return self

    def get_embedding_dimension(self):
        return self.dims

    get_sentence_embedding_dimension = get_embedding_dimension


def public_losses():
    from sentence_transformers import losses
    from sentence_transformers.losses import SiameseDistanceMetric as Siamese, TripletDistanceMetric as Triplet
    yield 'multiple_negatives_ranking', {}, lambda m: losses.MultipleNegativesRankingLoss(m), 2
    yield 'multiple_negatives_ranking', {'scale': 7}, lambda m: losses.MultipleNegativesRankingLoss(m, scale=7), 4
    yield 'multiple_negatives_symmetric_ranking', {}, lambda m: losses.MultipleNegativesSymmetricRankingLoss(m), 2
    yield 'multiple_negatives_symmetric_ranking', {}, lambda m: losses.MultipleNegativesSymmetricRankingLoss(m), 3
    yield 'cosine_similarity', {}, lambda m: losses.CosineSimilarityLoss(m), 2
    yield 'cosent', {}, lambda m: losses.CoSENTLoss(m), 2
    yield 'angle', {}, lambda m: losses.AnglELoss(m), 2
    for number, triplet, siamese in ((0, Triplet.COSINE, Siamese.COSINE_DISTANCE), (1, Triplet.EUCLIDEAN, Siamese.EUCLIDEAN),
                                     (2, Triplet.MANHATTAN, Siamese.MANHATTAN)):
        margin = (.5, 5, 20)[number]
        yield 'triplet', {'distance': number, 'margin': margin}, \
            lambda m: losses.TripletLoss(m, distance_metric=triplet, triplet_margin=margin), 3
        yield 'contrastive', {'distance': number, 'margin': margin}, \
            lambda m: losses.ContrastiveLoss(m, distance_metric=siamese, margin=margin), 2
        yield 'online_contrastive', {'distance': number, 'margin': margin}, \
            lambda m: losses.OnlineContrastiveLoss(m, distance_metric=siamese, margin=margin), 2
    yield 'softmax', {'labels': 3}, lambda m: losses.SoftmaxLoss(m, m.dims, 3), 2
    yield 'mse', {}, lambda m: losses.MSELoss(m), 1
    yield 'mse', {}, lambda m: losses.MSELoss(m), 2


def compare_loss(name, options, make, columns, rows, dims, sizes=None):
    from sentence_transformers import losses
    model = Given(dims)
    # the reference in double: in floats it is off by more than ours where the loss is small
    inputs = [torch.randn(rows, dims) for _ in range(columns)]
    for c in range(1, columns):
        inputs[c] += inputs[0]
    inputs = [x.double().requires_grad_() for x in inputs]
    scores = torch.randint(0, 5, (rows,)).float() / 4
    if 'contrastive' in name:
        scores = (scores > .4).float()
    labels = torch.randint(0, 3, (rows,))
    teacher = torch.randn(rows, dims).double()
    loss = make(model).double()
    target = {'softmax': labels, 'mse': teacher}.get(name, scores)
    weights = None
    if sizes:
        weights = [.5 + i for i in range(len(sizes))]
        loss = losses.MatryoshkaLoss(model, loss, sizes, weights)
    value = loss([{'x': x} for x in inputs], target)
    value.backward()
    head = None
    if name == 'softmax':
        head = torch.cat([loss.classifier.weight.reshape(-1), loss.classifier.bias])
    got, gradients, head_gradient = core.loss(library, name, [x.detach().numpy() for x in inputs], options,
                                              scores=scores.numpy(), labels=labels.numpy(), teacher=teacher.numpy(),
                                              head=None if head is None else head.detach().numpy(), sizes=sizes,
                                              weights=weights)
    title = '%s %s, %d columns of %d x %d%s' % (name, options, columns, rows, dims, ', sizes %s' % sizes if sizes else '')
    check(title, abs(got - value.item()) / max(1e-3, abs(value.item())), 1e-5)
    largest = max(x.grad.abs().max().item() for x in inputs)
    for c in range(columns):
        check('%s, gradient %d' % (title, c), abs(gradients[c] - inputs[c].grad.numpy()).max() / max(largest, 1e-12), 1e-5)
    if head is not None:
        want = torch.cat([loss.classifier.weight.grad.reshape(-1), loss.classifier.bias.grad])
        check('%s, head' % title, difference(head_gradient, want), 1e-5)


for rows, dims in ((16, 32), (33, 7), (300, 384)):
    for case in public_losses():
        compare_loss(*case, rows, dims)
        if case[0] != 'softmax':
            compare_loss(*case, rows, dims, [dims, max(3, dims // 2), max(2, dims // 4)])
print('done     losses', flush=True)


# ---------- cached ranking: the gradient that a batch in pieces gives ----------

def cached():
    """CachedMultipleNegativesRankingLoss on embeddings that came in pieces against ours in other pieces."""
    from sentence_transformers import losses
    inputs = [torch.randn(50, 24).double().requires_grad_() for _ in range(3)]
    loss = losses.CachedMultipleNegativesRankingLoss(Given(24), mini_batch_size=8)
    value = loss.calculate_loss([list(x.split(8)) for x in inputs], with_backward=True)
    got, gradients, _ = core.loss(library, 'multiple_negatives_ranking', [x.detach().numpy() for x in inputs], {'chunk': 7})
    check('cached ranking', abs(got - value.item()) / value.item(), 1e-5)
    for x, gradient in zip(inputs, gradients):
        check('cached ranking, gradient', difference(gradient, x.grad), 1e-5)


cached()


# ---------- optimizers ----------

def compare_optimizer(title, name, options, make, shape, most=1e-5):
    weights = torch.randn(*shape)
    parameter = torch.nn.Parameter(weights.clone())
    optimizer = make([parameter])
    rows, columns = shape if len(shape) == 2 else (1, shape[0])
    ours = core.Optimizer(library, name, options, rows, columns, len(shape) == 1)
    values = weights.numpy().copy()
    target = torch.randn(*shape)
    for step in range(1, 101):
        rate = options['learning_rate'] * (1 - step / 200)
        for group in optimizer.param_groups:
            group['lr'] = rate
        gradient = ((parameter.detach() - target) * torch.rand(*shape) + .1 * torch.randn(*shape)) * 10 ** ((step % 7) - 3)
        parameter.grad = gradient.clone()
        norm = torch.nn.utils.clip_grad_norm_([parameter], 1.0).item() if step % 2 else None
        optimizer.step()
        ours.step(step, rate, values, gradient.numpy(), 1.0 if step % 2 else 0)
        if norm is not None:
            check(title + ', norm', abs(ours.norm - norm) / norm, 1e-5)
    check('%s, %s' % (title, shape), difference(values, parameter), most)


o = torch.optim
for shape in ((7,), (1, 5), (40, 33), (300,)):
    compare_optimizer('AdamW', 'adamw', {'learning_rate': 1e-2, 'weight_decay': .01},
                      lambda p: o.AdamW(p, lr=1e-2, weight_decay=.01), shape)
    compare_optimizer('AdamW of other numbers', 'adamw',
                      {'learning_rate': 3e-3, 'weight_decay': .1, 'beta1': .8, 'beta2': .95, 'epsilon': 1e-6},
                      lambda p: o.AdamW(p, lr=3e-3, weight_decay=.1, betas=(.8, .95), eps=1e-6), shape)
    compare_optimizer('SGD', 'sgd', {'learning_rate': 1e-2}, lambda p: o.SGD(p, lr=1e-2), shape)
    compare_optimizer('SGD with momentum', 'sgd', {'learning_rate': 1e-2, 'momentum': .9, 'weight_decay': .01},
                      lambda p: o.SGD(p, lr=1e-2, momentum=.9, weight_decay=.01), shape)
    compare_optimizer('SGD with damped momentum', 'sgd', {'learning_rate': 1e-2, 'momentum': .9, 'dampening': .3},
                      lambda p: o.SGD(p, lr=1e-2, momentum=.9, dampening=.3), shape)
    compare_optimizer("SGD with Nesterov's momentum", 'sgd', {'learning_rate': 1e-2, 'momentum': .9, 'nesterov': 1},
                      lambda p: o.SGD(p, lr=1e-2, momentum=.9, nesterov=True), shape)
    compare_optimizer('Adagrad', 'adagrad', {'learning_rate': .1}, lambda p: o.Adagrad(p, lr=.1), shape)
    compare_optimizer('Adagrad of other numbers', 'adagrad',
                      {'learning_rate': .1, 'weight_decay': .01, 'rate_decay': .05, 'initial_sum': .1},
                      lambda p: o.Adagrad(p, lr=.1, weight_decay=.01, lr_decay=.05, initial_accumulator_value=.1), shape)
    compare_optimizer('Adafactor', 'adafactor', {'learning_rate': 1e-2}, lambda p: o.Adafactor(p, lr=1e-2), shape)
    compare_optimizer('Adafactor with decay', 'adafactor', {'learning_rate': .05, 'weight_decay': .1},
                      lambda p: o.Adafactor(p, lr=.05, weight_decay=.1), shape)


def sparse_rows():
    """Rows that have a gradient move as those of PyTorch's optimizers for sparse gradients (SparseAdam adds epsilon at
    another place, so there it is nothing)."""
    rows, columns = 60, 16
    for name, options, make in (('adagrad', {'learning_rate': .1}, lambda p: o.Adagrad(p, lr=.1)),
                                ('sgd', {'learning_rate': .1}, lambda p: o.SGD(p, lr=.1)),
                                ('adamw', {'learning_rate': .01, 'weight_decay': 0, 'epsilon': 1e-15},
                                 lambda p: o.SparseAdam(p, lr=.01, eps=1e-15))):
        table = torch.nn.Parameter(torch.randn(rows, columns))
        values = table.detach().numpy().copy()
        optimizer = make([table])
        ours = core.Optimizer(library, name, options, rows, columns, False)
        for step in range(1, 101):
            some = torch.randperm(rows)[:7]
            gradient = torch.randn(7, columns)
            table.grad = torch.sparse_coo_tensor(some[None], gradient, (rows, columns))
            optimizer.step()
            ours.step_rows(step, options['learning_rate'], values, some.numpy(), gradient.numpy())
        check('%s of rows' % name, difference(values, table), 1e-5)


sparse_rows()

for kind, make in (('constant', lambda s: transformers.get_constant_schedule_with_warmup(s, 10)),
                   ('linear', lambda s: transformers.get_linear_schedule_with_warmup(s, 10, 90)),
                   ('cosine', lambda s: transformers.get_cosine_schedule_with_warmup(s, 10, 90))):
    optimizer = o.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)
    for done in range(90):
        check('schedule %s' % kind, abs(schedule.get_last_lr()[0] - core.schedule(library, kind, done, 10, 90)), 1e-9)
        optimizer.step()
        schedule.step()
print('done     optimizers', flush=True)

print('%d failures' % failures)
sys.exit(failures > 0)
