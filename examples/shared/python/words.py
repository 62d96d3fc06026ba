def count(text):
    """How often each word occurs, the most frequent first."""
    found = {}
    for word in text.lower().split():
        found[word] = found.get(word, 0) + 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
