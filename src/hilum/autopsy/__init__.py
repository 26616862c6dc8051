"""Can a printed confusion matrix and the figures beside it all be true?"""
