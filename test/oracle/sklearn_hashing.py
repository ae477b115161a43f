# debian: numpy psycopg2 scipy sklearn
"""If this fails, hashing_vector is not scikit-learn's HashingVectorizer: the
IMDB reviews, every value."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import imdb
from sklearn.feature_extraction.text import HashingVectorizer

connection = imdb.connect()
texts = imdb.load(connection)
report = imdb.Report()

for arguments, options in [
        ('', {}),
        ('dims => 1000', {'n_features': 1000}),
        ("norm => 'l1', dims => 4096", {'norm': 'l1', 'n_features': 4096}),
        ("norm => 'none', alternate_sign => false",
         {'norm': None, 'alternate_sign': False}),
        ('presence => true, dims => 500', {'binary': True, 'n_features': 500}),
        ('min_ngram => 1, max_ngram => 2', {'ngram_range': (1, 2)})]:
    ours = imdb.vectors(connection, 'hashing_vector(body, min_token_length => 2%s)'
                        % (', ' + arguments if arguments else ''))
    report.same_values('hashing_vector(%s)' % (arguments or 'default'), ours,
                       HashingVectorizer(**options).transform(texts))
report.finish()
