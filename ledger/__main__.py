"""The command line: `python -m ledger`, or `ledger`."""

from ledger.cli import main

if __name__ == "__main__":
    main()
