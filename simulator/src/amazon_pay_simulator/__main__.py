"""`python -m amazon_pay_simulator`."""

from amazon_pay_simulator.program import main

if __name__ == "__main__":
    main()
