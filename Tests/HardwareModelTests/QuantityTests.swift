// SPDX-License-Identifier: Apache-2.0
import HardwareModel
import Testing

struct QuantityTests {
    @Test(arguments: [
        ("32 GiB", Quantity.bytes, 32 << 30), ("64KiB", .bytes, 65536), ("1.5 KiB", .bytes, 1536), ("0", .bytes, 0), ("1000", .bytes, 1000),
        ("1.2 TB/s", .bytesPerSecond, 1_200_000_000_000), ("36.864 TB/s", .bytesPerSecond, 36_864_000_000_000),
        ("102.4 GB/s", .bytesPerSecond, 102_400_000_000), ("500 ns", .picoseconds, 500_000), ("1.5 us", .picoseconds, 1_500_000),
        ("2 µs", .picoseconds, 2_000_000), ("1.5 GHz", .hertz, 1_500_000_000), ("9223372036854775807", .bytes, Int.max),
    ])
    func reads(text: String, quantity: Quantity, value: Int) {
        #expect(quantity.parse(text) == value)
        #expect(quantity.parse(quantity.text(value)) == value)
    }

    @Test(arguments: [
        ("1.2 TB", Quantity.bytesPerSecond), ("1 GB/s", .bytes), ("-1", .bytes), ("1e9", .bytes), ("", .bytes), ("GiB", .bytes),
        ("1.", .bytes),
        (".5 kB", .bytes), ("1.2.3 kB", .bytes), ("01", .bytes), ("1  kB", .bytes), ("1.5", .bytes), ("10 gb", .bytes), ("٣ kB", .bytes),
        ("9223372036854775808", .bytes), ("9999999999 TiB", .bytes), ("99999999999.5 TiB", .bytes), ("0x10", .bytes),
        ("5 sec", .picoseconds),
    ])
    func refuses(text: String, quantity: Quantity) {
        #expect(quantity.parse(text) == nil)
    }

    @Test func writesTheShortestUnit() {
        #expect(Quantity.bytes.text(32 << 30) == "32 GiB")
        #expect(Quantity.bytes.text(1000) == "1 kB")
        #expect(Quantity.bytesPerSecond.text(40_960_000_000) == "40.96 GB/s")
        #expect(Quantity.bytesPerSecond.text(1_200_000_000_000) == "1.2 TB/s")
        #expect(Quantity.picoseconds.text(1_500_000) == "1.5 us" || Quantity.picoseconds.text(1_500_000) == "1.5 µs")
        #expect(Quantity.hertz.text(0) == "0 Hz")
    }
}
