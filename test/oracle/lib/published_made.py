"""What sentence-transformers makes of published models: published_made.py DIRECTORY WAY FOLDER...

WAY is dense (vectors of length one), sparse, or half (FOLDER is also written
anew with weights of float16 and of bfloat16, and read as such).  Texts are
DIRECTORY/texts.json; results go to DIRECTORY/*.npy."""

import json
import os
import sys

os.environ['HF_HUB_OFFLINE'] = '1'
os.environ['TRANSFORMERS_VERBOSITY'] = 'error'
os.environ['HF_HUB_DISABLE_PROGRESS_BARS'] = '1'

import numpy
import torch
from sentence_transformers import SentenceTransformer, SparseEncoder

torch.set_num_threads(1)
torch.set_grad_enabled(False)
directory, way, folder = sys.argv[1:4]
with open(os.path.join(directory, 'texts.json')) as file:
    texts = json.load(file)
if way == 'sparse':
    model = SparseEncoder(folder, device='cpu')
    numpy.save(os.path.join(directory, 'vectors.npy'),
               model.encode(texts, batch_size=1, convert_to_sparse_tensor=False).numpy())
    sys.exit()
if way == 'dense':
    model = SentenceTransformer(folder, device='cpu')
    numpy.save(os.path.join(directory, 'vectors.npy'), model.encode(texts, batch_size=1, normalize_embeddings=True))
    sys.exit()
for name, dtype in (('float16', torch.float16), ('bfloat16', torch.bfloat16)):
    model = SentenceTransformer(folder, device='cpu')
    model = model.to(dtype)
    model.save_pretrained(os.path.join(directory, name), create_model_card=False)
    # the same numbers, computed as floats
    model = model.to(torch.float32)
    numpy.save(os.path.join(directory, name + '.npy'), model.encode(texts, batch_size=1, normalize_embeddings=True))
