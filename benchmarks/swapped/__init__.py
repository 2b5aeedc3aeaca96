"""Summaries with one fact swapped: does the score tell them from the right ones?"""
