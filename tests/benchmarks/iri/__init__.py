"""How fast the search for IRIs is, against the loop that anyone would write from the paper.

python -m tests.benchmarks.iri --json FILE
"""
