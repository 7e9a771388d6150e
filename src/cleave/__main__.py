"""`cleave`, which is `python -m cleave`: signals are heard before anything else is loaded, which takes seconds."""

from cleave.signals import end_on_signals


def main() -> None:
    end_on_signals("cleave")
    from cleave.cli import main as command

    command()


if __name__ == "__main__":
    main()
