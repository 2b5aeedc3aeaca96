"""Does a true summary in other words score above a false one in the source's words?"""
